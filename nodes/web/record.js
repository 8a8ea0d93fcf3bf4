// The button that keeps the seconds that have just passed, or marks the moment where everything is recorded.

import { $, count, figure, say } from "./dom.js";

export class Record {
  #pipeline;
  #node = null;
  #saving = null; // {file, statuses}: what is being written, and how many statuses came since it was asked for

  constructor(pipeline) {
    this.#pipeline = pipeline;
    $("save").onclick = () => this.#save();
  }

  update() {
    this.#node = this.#pipeline.ofType("Record");
    $("record").hidden = !this.#node;
    if (!this.#node) return;
    const { keep, status } = this.#pipeline.nodes[this.#node];
    const { session, failure, queued_mb: queued } = status;
    say($("save"), this.#label(keep, status.ring_s));
    const waiting = queued >= 1 ? `; ${count(queued)} MB wait for the disk` : "";
    say($("recording"), failure ? `not recording: ${failure}` : session ? `recording to ${session}${waiting}` : "");
    $("recording").className = failure ? "bad" : "quiet";
    this.#follow(status);
  }

  /** What is kept before and after; at the start there is less before. */
  #label(keep, held) {
    if (!keep || keep === "all") return "Mark this moment";
    const { before_s: before, after_s: after } = keep;
    const last = before ? `Save the last ${figure(Math.min(before, held ?? before), 2)} s` : "Save";
    return after ? `${last}${before ? " and" : ""} the next ${figure(after, 2)} s` : last;
  }

  async #save() {
    $("save").disabled = true;
    say($("saved"), "saving …");
    const answer = await this.#pipeline.command(this.#node, "save", { seconds_after: null, reason: "by hand, from the console" });
    $("save").disabled = false;
    const marked = this.#pipeline.nodes[this.#node]?.keep === "all";
    this.#saving = answer && !marked ? { file: answer.file, statuses: 0 } : null;
    say($("saved"), !answer ? "not saved" : marked ? `marked in ${answer.file}` : `saving to ${answer.file} …`);
  }

  /** Saved is what is closed and on the disk; the first status may have been on its way before the save. */
  #follow({ session, failure, queued_mb: queued }) {
    if (!this.#saving || ++this.#saving.statuses < 2) return;
    const { file } = this.#saving;
    if (!failure && (session === file || queued > 0)) return;
    say($("saved"), failure ? `not saved: ${failure}` : `saved: ${file}`);
    this.#saving = null;
  }
}
