import { get } from "node:http";
import { inject } from "vitest";

/** Asks the process that holds the run's servers for one of them; it is started when the first test file asks. */
export function askHost<Address>(path: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    const request = get({ socketPath: inject("services"), path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (data: string) => {
        text += data;
      });
      response.on("end", () => (response.statusCode === 200 ? resolve(JSON.parse(text) as Address) : reject(new Error(text))));
    });
    request.on("error", reject);
  });
}
