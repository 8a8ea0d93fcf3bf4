// The button that keeps the seconds that have just passed, or marks the moment where everything is recorded.

import { $, count, figure, say } from "./dom.js";

export class Record {
  #pipeline;
  #node = null;

  constructor(pipeline) {
    this.#pipeline = pipeline;
    $("save").onclick = () => this.#save();
  }

  update() {
    this.#node = this.#pipeline.ofType("Record");
    $("record").hidden = !this.#node;
    if (!this.#node) return;
    const { ring_s: held, session, failure, queued_mb: queued } = this.#pipeline.nodes[this.#node].status;
    say($("save"), held === undefined ? "Mark this moment" : `Save the last ${figure(held, 2)} s`);
    const waiting = queued >= 1 ? `; ${count(queued)} MB wait for the disk` : "";
    say($("recording"), failure ? `not recording: ${failure}` : session ? `recording to ${session}${waiting}` : "");
    $("recording").className = failure ? "bad" : "quiet";
  }

  async #save() {
    $("save").disabled = true;
    say($("saved"), "saving …");
    const answer = await this.#pipeline.command(this.#node, "save", { seconds_after: null, reason: "by hand, from the console" });
    $("save").disabled = false;
    say($("saved"), answer ? `saved: ${answer.file}` : "not saved");
  }
}
