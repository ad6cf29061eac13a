import type { ServiceStatus, ServiceView } from "../../../src/discogs/service-view.ts";
import type { Contract, DataType } from "../../../src/model.ts";

/** A service as a test wants it to look. */
export class FakeView implements ServiceView {
  contract: Contract = "fanout";
  readonly mode = "normal";
  status: ServiceStatus = "idle";
  version: string | null = null;
  currentTask: string | null = null;
  errorMessage: string | null = null;
  unreadyReason: string | null = null;
  progress: Record<DataType, number> = { artists: 0, labels: 0, masters: 0, releases: 0 };
  secondsSinceRecord: Record<DataType, number | null> = { artists: null, labels: null, masters: null, releases: null };
  active: DataType[] = [];
  fraction = 0;
  completedFiles = 0;
  errors = 0;
  /** What was asked for, in order. */
  readonly triggered: boolean[] = [];

  constructor(part: Partial<ServiceView> = {}) {
    Object.assign(this, part);
  }

  trigger({ forceReprocess }: { forceReprocess: boolean }): "started" | "already_running" {
    if (this.status === "running") return "already_running";
    this.triggered.push(forceReprocess);
    return "started";
  }
}
