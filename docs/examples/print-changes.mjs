// Prints every change of a record: node docs/examples/print-changes.mjs amqp://USER:PASSWORD@HOST
import { ChangesConsumer } from "deadwax";

class Printer extends ChangesConsumer {
  // A change is done with once this has resolved. What it throws is tried again, and goes to the dead letters at last.
  async process({ change_type, data_type, record_id }) {
    console.log(`${change_type} ${data_type} ${record_id}`);
  }
}

const [url] = process.argv.slice(2);
const printer = new Printer({ url, service: "printer", onNote: (text) => console.error(text) });
process.once("SIGTERM", () => printer.stop());
await printer.run();
