export const zh = {
  "title": "遥测曲线",
  "titleAround": "遥测曲线 · 告警前 10 分钟起",
  "loading": "正在读取…",
  "failed": "读数读取失败",
  "retry": "重试",
  "none": "这段时间没有读数",
  "which": "读数",
  "alarm": "告警",
  "summary": "{name}：{count} 个读数，最低 {min}，最高 {max}，最新 {last}（{time}）",
  "table": "数据表",
  "time": "时间",
  "more": "表中为最新 {count} 个",
} as const;
