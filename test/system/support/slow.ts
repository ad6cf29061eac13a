/** Imported for its effect: every test here starts processes, on machines that may be busy. */
import { vi } from "vitest";

const TEST_MS = 60_000;
const HOOK_MS = 120_000;

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: HOOK_MS });
