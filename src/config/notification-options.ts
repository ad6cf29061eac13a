import { CHANGE_NOTIFICATIONS, type ChangeNotifications } from "../rabbitmq/config.ts";
import { isBrokerUrl, withParameters } from "./broker-url.ts";
import type { OptionTable } from "./option.ts";
import { flag, word } from "./units.ts";

/** What a broker's consumers are told of changes. */
export const NOTIFICATION_OPTIONS = {
  changeNotifications: {
    argument: "HOW",
    env: "CHANGE_NOTIFICATIONS",
    schema: word(CHANGE_NOTIFICATIONS),
    fallback: "each",
    unit: null,
    meaning:
      "brokers: what is told of created and updated records on {type}.changes: each of them, one summary a file, or nothing (off); deleted ones always are",
  },
  changeTypeInBody: {
    argument: null,
    env: "CHANGE_TYPE_IN_BODY",
    schema: flag,
    fallback: "false",
    unit: null,
    meaning: "brokers: bodies of changed records end with _change_type and _processing_run_id, as upstream's did; headers say it always",
  },
} as const satisfies OptionTable;

/** What the URL of a broker has to say for these settings; what is the default it leaves unsaid. */
export function changeParameters(values: { readonly changeNotifications: ChangeNotifications; readonly changeTypeInBody: boolean }) {
  return {
    change_notifications: values.changeNotifications === NOTIFICATION_OPTIONS.changeNotifications.fallback ? null : values.changeNotifications,
    change_type_in_body: values.changeTypeInBody ? "true" : null,
  };
}

/** The sinks of a run, brokers with these settings where their URLs do not say otherwise. */
export function sinksWithChanges(urls: readonly string[], values: Parameters<typeof changeParameters>[0]): readonly string[] {
  const parameters = changeParameters(values);
  const isDefault = Object.values(parameters).every((value) => value === null);
  return isDefault ? urls : urls.map((url) => (isBrokerUrl(url) ? withParameters(url, parameters) : url));
}
