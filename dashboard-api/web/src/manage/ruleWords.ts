/** What the hub says of a rule's text, in the page's language. It speaks English, with names and examples between: a sentence that is not here is shown as it is. */
import { language } from "../i18n";

/** Kinds of words, as in "unknown kind `fire.smok`". */
const WHAT: Readonly<Record<string, string>> = {
  department: "部门",
  "device class": "设备类型",
  function: "函数",
  kind: "事件类型",
  "kind of zone": "区域种类",
  "list of the registry": "登记表名单",
  mode: "方式",
  name: "名称",
  phase: "阶段",
  reach: "范围",
  rule: "规则",
  severity: "级别",
  "sort of condition": "条件种类",
  subject: "对象",
  "test device": "测试设备",
  type: "类型",
  "type of report": "上报类型",
};
/** What a value should have been, as in "`1` is not true or false". */
const WANTED: Readonly<Record<string, string>> = {
  "a list of tables": "一组表",
  "a list of texts": "一组文字",
  "a number": "数字",
  "a number from 1 up": "从 1 起的整数",
  "a part of the day": "一天中的时段",
  "a rule id": "规则编号",
  "a severity": "级别",
  "a table": "表",
  "a text": "文字",
  "a text with words": "有内容的文字",
  "true or false": " true 或 false",
};
const OWN_VERBS: Readonly<Record<string, string>> = { absorb: "接管", suppress: "抑制", "listen to": "监听" };

const SENTENCES: readonly [RegExp, string | ((...parts: string[]) => string)][] = [
  // what is wrong
  [/^is missing$/, "缺少此项"],
  [/^is blank$/, "没有内容"],
  [/^unknown field$/, "没有这个字段"],
  [/^unknown or wrong test (`.*`)$/, "未知或错误的比较 $1"],
  [/^unknown ([a-z ]+) (`.*`)$/, (whole, what = "", name = "") => (what in WHAT ? `未知的${WHAT[what]} ${name}` : whole)],
  [/^(.+) is not a whole number from (-?\d+) to (-?\d+)$/, "$1 不是 $2 到 $3 的整数"],
  [/^(`.*`|a value of type .+) is not (.+)$/, (whole, value = "", wanted = "") => (wanted in WANTED ? `${value} 不是${WANTED[wanted]}` : whole)],
  [/^is not a severity$/, "不是级别"],
  [/^is negative: (-?\d+)$/, "是负数：$1"],
  [/^is longer than (\d+) characters or has control characters$/, "超过 $1 个字符，或含有控制字符"],
  [/^is longer than (\d+) bytes$/, "超过 $1 字节"],
  [/^the file is longer than (\d+) bytes$/, "文件超过 $1 字节"],
  [/^there is no rule in this file$/, "文件里没有规则"],
  [/^rule (`.*`) is there twice$/, "规则 $1 出现了两次"],
  [/^(`.*`) belongs to two rules$/, "$1 属于两条规则"],
  [/^a rule cannot (absorb|suppress|listen to) itself$/, (_, verb = "") => `规则不能${OWN_VERBS[verb] ?? verb}自己`],
  [/^listens more than (\d+) rules deep$/, "监听的规则超过 $1 层"],
  [/^rules listen in a circle: (.*)$/, "规则互相循环监听：$1"],
  [/^names the lead department again$/, "重复了主办部门"],
  [/^names a department twice$/, "同一部门出现两次"],
  [/^names no rule$/, "没有写规则"],
  [/^names no kind$/, "没有写事件类型"],
  [/^has no steps$/, "没有步骤"],
  [/^(\d+) steps, but sop_zh has (\d+)$/, "有 $1 步，而 sop_zh 有 $2 步"],
  [/^more than (\d+) steps or (\d+) characters in one$/, "超过 $1 步，或某一步超过 $2 个字符"],
  [/^(\d+) steps are not 2 to (\d+)$/, "步骤数 $1 不在 2 到 $2 之间"],
  [/^an absence is always about one device$/, "失联总是针对一台设备"],
  [/^it is about a flat$/, "它针对一套住房"],
  [/^several devices have no device in common$/, "多台设备没有共同的设备"],
  [/^a share is of the devices of a place$/, "比例是对一处的设备而言"],
  [/^no rule is listened to$/, "没有监听任何规则"],
  [/^nothing is looked up on the watch list$/, "没有查布控名单"],
  [/^an absence ends with the next word$/, "失联在下一次上报时结束"],
  [/^no event of a device brings it about$/, "没有设备事件会触发它"],
  [/^has more than 4 parts$/, "超过 4 个部分"],
  [/^has a plate that does not stand first$/, "车牌没有放在最前"],
  [/^belongs to (`\w+`)$/, "属于 $1"],
  [/^lies (below|above) the limit itself$/, (_, side = "") => (side === "below" ? "低于限值本身" : "高于限值本身")],
  [/^there must be one limit, `below` or `above`$/, "必须有且只有一个限值：`below` 或 `above`"],
  [/^is not from 0\.01 to 1$/, "不在 0.01 到 1 之间"],
  [/^is more than `of_days`$/, "大于 `of_days`"],
  [/^stands beside `rules`$/, "不能与 `rules` 同时出现"],
  [/^cannot be compared with$/, "不能用来比较"],
  [/^tests nothing$/, "什么也没有比较"],
  [/^what is watched is one thing$/, "布控的只能是一项"],
  [/^(\d+) events are more than (\d+)$/, "$1 个事件超过上限 $2"],
  [/^(`\w+`) has no field (`.*`)$/, "$1 没有字段 $2"],
  [/^(`\w+`) is not allowed: its cost cannot be bounded$/, "不允许 $1：其开销没有上限"],
  [/^is not an expression, at its (?:line (\d+), )?column (\d+): (.*)$/, (_, line, column = "", what = "") => `不是表达式，${line === undefined ? "" : `第 ${line} 行`}第 ${column} 列：${what}`],
  [/^is not an expression: (.*)$/, "不是表达式：$1"],
  [/^there is a file (`.*`) already, without this rule$/, "已有文件 $1，里面没有这条规则"],
  [/^case (`.*`): expected \[(.*)\], came \[(.*)\]$/, "用例 $1：应为 [$2]，实为 [$3]"],
  [/^expected \[(.*)\], came \[(.*)\]$/, "应为 [$1]，实为 [$2]"],
  // what to write instead
  [/^did you mean (`.*`)\?$/, "是否想写 $1？"],
  [/^known are (.*)$/, "可以写 $1"],
  [/^there is none yet$/, "目前还没有"],
  [/^as in (`"3" = "P3"`): from the third on$/, "例如 $1：从第三次起"],
  [/^as in (`.*`), from the first minute up to the second$/, "例如 $1，从前一时刻起，到后一时刻止"],
  [/^as in `\[rule\.when\]` with (`.*`)$/, "例如 `[rule.when]`，其中 $1"],
  [/^as in (`.*`)$/, "例如 $1"],
  [/^write (`.*`), (`.*`), (`.*`), (`.*`) or (`.*`)$/, "请写 $1、$2、$3、$4 或 $5"],
  [/^write (`.*`) or (`.*`)$/, "请写 $1 或 $2"],
  [/^write (`.*`)$/, "请写 $1"],
  [/^write it simpler$/, "请写得简单些"],
  [/^leave (`.*`) out$/, "请去掉 $1"],
  [/^leave the cases out; it is the incident machine that opens this one$/, "请去掉用例：它由事件流程触发"],
  [/^a whole number from (-?\d+) to (-?\d+)$/, "$1 到 $2 的整数"],
  [/^people read this; give it words$/, "这是给人看的，请写上文字"],
  [/^1 to 16 letters, digits and -, starting with a letter, as in `S1`$/, "1 到 16 个字母、数字和 -，以字母开头，例如 `S1`"],
  [/^the steps are shown side by side; write one for one$/, "中英文步骤并排显示，请一一对应"],
  [/^the operator works through these; one short sentence each$/, "值守员照此逐步处置，每步一句短话"],
  [/^nobody reads that at 3 a\.m\.$/, "凌晨三点没有人会读这么长"],
  [/^the lead has its task anyway$/, "主办部门本来就有任务"],
  [/^each has one task$/, "每个部门一项任务"],
  [/^a rule starts with `\[\[rule\]\]`$/, "规则以 `[[rule]]` 开头"],
  [/^one alarm is about one thing$/, "一条报警只针对一件事"],
  [/^it is well again (above|below) the limit, or there$/, (_, side = "") => (side === "above" ? "回到限值之上才算恢复" : "回到限值之下才算恢复")],
  [/^each is a table `\[\[rule\.when\.step\]\]` with its kinds or rules$/, "每一步是一个 `[[rule.when.step]]`，写明事件类型或规则"],
  [/^0\.3 is 30 % of the devices$/, "0.3 即 30% 的设备"],
  [/^(?:(`.*`)|it) needs (`.*`) in (`.*`)$/, (_, what, needed = "", place = "") => `${what ?? ""}需要在 ${place} 中写 ${needed}`.trim()],
  [/^a rule listens to devices or to other rules; two steps of a `sequence` may differ$/, "规则监听设备或其他规则；`sequence` 的两步可以不同"],
  [/^one of them must listen to devices$/, "其中一条必须监听设备"],
  [/^listen to the first ones directly$/, "请直接监听最前面的规则"],
  [/^the first is at (.*)$/, "第一处在 $1"],
  [/^the other is (\S+) at (.*)$/, "另一条是 $1，在 $2"],
  [/^a text, number or yes\/no, a list of them, or (`.*`); a path is written in quotes, (`.*`)$/, "文字、数字、是否，或它们的列表，或 $1；路径写在引号里，如 $2"],
  [/^one of `plate`, `credential` and `person`$/, "`plate`、`credential`、`person` 三者之一"],
  [/^fewer show the same$/, "少一些也能说明问题"],
  [/^`expect = \[\]` says that nothing may come$/, "`expect = []` 表示不应有任何结果"],
  [/^say part of it with `class`, `zone_kind` or `where`$/, "部分条件请用 `class`、`zone_kind` 或 `where`"],
  [/^use `exists`, `contains`, `startsWith` or `endsWith`$/, "请用 `exists`、`contains`、`startsWith` 或 `endsWith`"],
  [/^compare single fields instead$/, "请比较单个字段"],
  [/^another id$/, "请换一个编号"],
];

/** Null when there are no words for it in the page's language. */
export function ruleWords(text: string): string | null {
  if (language.value === "en") return null;
  for (const [pattern, words] of SENTENCES) {
    if (!pattern.test(text)) continue;
    const said = typeof words === "string" ? text.replace(pattern, words) : text.replace(pattern, words as (whole: string) => string);
    return said === text ? null : said;
  }
  return null;
}

/** A mistake in a sentence: what is wrong, and what to write instead. */
export function mistakeText({ what, hint }: { what: string; hint?: string | null }): string {
  const said = ruleWords(what) ?? what;
  return hint ? `${said}（${ruleWords(hint) ?? hint}）` : said;
}
