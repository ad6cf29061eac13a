const BYTE_UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** Bytes in decimal units, as disks and downloads are measured: `11.2 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** A rate in MB (10^6 bytes) per second. */
export function formatSpeed(bytesPerSecond: number): string {
  const megabytes = bytesPerSecond / 1e6;
  return `${megabytes >= 100 ? megabytes.toFixed(0) : megabytes.toFixed(1)} MB/s`;
}

/** Seconds as `0:42`, `12:05` or `1:02:03`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** Time that has passed: `2.4 s`, or as {@link formatDuration} from a minute on. */
export function formatElapsed(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(seconds);
}

/** A whole number with thousands apart: `312,345`. Without `toLocaleString`, the first call of which takes 10 ms to load what it knows of languages. */
export function formatCount(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/gu, ",");
}
