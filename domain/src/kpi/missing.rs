//! What is asked of a station and what its record cannot answer, with the reason: a figure that is not there is said to be missing.

use serde::Serialize;

/// A key figure that the record cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NotAnswered {
    /// Its word.
    pub kpi: &'static str,
    /// Why, in Chinese.
    pub reason_zh: &'static str,
    /// Why, in English.
    pub reason_en: &'static str,
}

/// All of them.
pub const NOT_ANSWERED: &[NotAnswered] = &[
    NotAnswered {
        kpi: "detection_latency",
        reason_zh: "记录中没有报警上屏的时刻；设备时间到入库的延迟见 /metrics",
        reason_en: "the record does not hold when an alarm was on the wall; from device to store see /metrics",
    },
    NotAnswered {
        kpi: "delivery_by_channel",
        reason_zh: "目前只有看板一个渠道，没有外发延迟、降级和配额可统计",
        reason_en: "the board is the only channel so far: there are no delays, fall-backs or quotas to count",
    },
    NotAnswered {
        kpi: "reduced_coverage_hours",
        reason_zh: "状态库只保存设备当前在线情况，不保存历史",
        reason_en: "the state holds how devices stand now, not how they stood",
    },
    NotAnswered {
        kpi: "held_back_then_rang",
        reason_zh: "被抑制或检修屏蔽、解除后又报警的，只在事件单中注明（detail.held_back），不按时段保存",
        reason_en: "an alarm that was held back and rang when that ended says so in its incident (detail.held_back), not by span",
    },
    NotAnswered {
        kpi: "satisfaction_by_language",
        reason_zh: "没有记录受访者的语言",
        reason_en: "the language of whoever answered is not recorded",
    },
    NotAnswered {
        kpi: "fleeting_share",
        reason_zh: "短暂报警只在报警上计次，不按时段保存",
        reason_en: "fleeting returns are counted at the alarm, not by when they were",
    },
];
