/* A cron expression in words; where it says more than they can, it stands for itself. */

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const isNumber = (field: string) => /^\d{1,2}$/.test(field);
const pad = (field: string) => field.padStart(2, "0");

function clockWords(minute: string, hour: string): string | null {
  const every = /^\*\/(\d{1,2})$/.exec(minute);
  if (every && hour === "*") return every[1] === "1" ? "every minute" : `every ${every[1]} minutes`;
  if (minute === "*" && hour === "*") return "every minute";
  if (!isNumber(minute)) return null;
  if (hour === "*") return minute === "0" ? "every hour" : `every hour at minute ${minute}`;
  const step = /^\*\/(\d{1,2})$/.exec(hour);
  if (step) return `every ${step[1]} hours at minute ${minute}`;
  const hours = hour.split(",");
  return hours.every(isNumber) ? `at ${hours.map((one) => `${pad(one)}:${pad(minute)}`).join(", ")}` : null;
}

function dayWords(field: string): string | null {
  if (field === "*" || field === "?") return "";
  if (field === "1-5" || field.toUpperCase() === "MON-FRI") return " on weekdays";
  if (field === "0,6" || field === "6,0" || field === "6,7") return " at weekends";
  const days = field.split(",").map((day) => (isNumber(day) ? weekdays[Number(day)] : undefined));
  return days.every((day) => day !== undefined) ? ` on ${days.join(", ")}` : null;
}

function dateWords(day: string, month: string): string | null {
  const inMonth = month === "*" ? "" : isNumber(month) ? ` in ${months[Number(month) - 1]}` : null;
  if (inMonth === null) return null;
  if (day === "*" || day === "?") return inMonth;
  if (day.toUpperCase() === "L") return ` on the last day of the month${inMonth}`;
  return isNumber(day) ? ` on day ${day} of the month${inMonth}` : null;
}

/** `0 8 * * 1-5` as "at 08:00 on weekdays"; null where it says more than these words can. */
export function describeCron(expression: string): string | null {
  const fields = expression.trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || !minute || !hour || !day || !month || !weekday) return null;
  const parts = [clockWords(minute, hour), dayWords(weekday), dateWords(day, month)];
  if (parts.some((part) => part === null)) return null;
  const text = parts.join("");
  return weekday === "*" && day === "*" && text.startsWith("at") ? `every day ${text}` : text;
}

export function describeEvery(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "day"],
    [3_600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const [size, name] = units.find(([length]) => seconds % length === 0) ?? [1, "second"];
  const count = seconds / size;
  return count === 1 ? `every ${name}` : `every ${count} ${name}s`;
}
