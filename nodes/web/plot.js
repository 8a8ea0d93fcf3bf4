// A small plot on a canvas: axes with round ticks, lines, levels, marks.

const FONT = '12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const [INK, GRID, GROUND] = ["#9aa7b2", "#222a31", "#0f1418"];
const MARGIN = { left: 46, right: 10, top: 18, bottom: 20 };

/** Round numbers that divide a range into about so many parts. */
export function ticks(low, high, about) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const marks = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + 1e-9 * step; number++) marks.push(number * step);
  return marks;
}

const decades = (low, high) => {
  const marks = [];
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high) + 1e-9; power++) marks.push(10 ** power);
  return marks;
};

/** Which part of a range lies below a value. */
function part(value, [low, high], log) {
  return log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
}

function label(value) {
  const plain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4);
  return plain ? String(Number(value.toPrecision(3))) : value.toExponential(0);
}

export class Plot {
  #canvas;
  #context;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /** Begin anew. @param axes {x: [low, high], y: [low, high], xLabel, yLabel, logX, logY, square} */
  begin({ x, y, xLabel = "", yLabel = "", logX = false, logY = false, square = false }) {
    this.#fit();
    const context = this.#context;
    [this.x, this.y, this.logX, this.logY] = [x, y, logX, logY];
    const { left, right, top, bottom } = MARGIN;
    this.box = { left, top, width: this.width - left - right, height: this.height - top - bottom };
    if (square) this.#square();
    context.fillStyle = GROUND;
    context.fillRect(0, 0, this.width, this.height);
    this.#axes();
    context.fillStyle = INK;
    context.textAlign = "left";
    context.fillText(yLabel, 4, 12);
    context.textAlign = "right";
    context.fillText(xLabel, this.width - 6, 12);
    context.save();
    context.beginPath();
    context.rect(this.box.left, this.box.top, this.box.width, this.box.height);
    context.clip();
  }

  end() { this.#context.restore(); }

  atX(value) { return this.box.left + part(value, this.x, this.logX) * this.box.width; }

  atY(value) { return this.box.top + (1 - part(value, this.y, this.logY)) * this.box.height; }

  line(xs, ys, colour, width = 1.25) {
    const context = this.#context;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (let index = 0; index < ys.length; index++) context.lineTo(this.atX(xs(index)), this.atY(ys[index]));
    context.stroke();
  }

  /** A dashed horizontal line. */
  level(value, colour) {
    const context = this.#context;
    const top = Math.round(this.atY(value)) + 0.5; // on whole pixels: sharp
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(this.box.left, top);
    context.lineTo(this.box.left + this.box.width, top);
    context.stroke();
    context.setLineDash([]);
  }

  /** A shaded range of x. */
  band(low, high, colour) {
    this.#context.fillStyle = colour;
    this.#context.fillRect(this.atX(low), this.box.top, this.atX(high) - this.atX(low), this.box.height);
  }

  /** A ring around a point, and a word at it. */
  mark(x, y, colour, text = "") {
    const context = this.#context;
    const [left, top] = [this.atX(x), this.atY(y)];
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(left, top, 3.5, 0, 2 * Math.PI);
    context.stroke();
    const rightHalf = left > this.box.left + this.box.width / 2;
    context.textAlign = rightHalf ? "right" : "left";
    context.fillText(text, left + (rightHalf ? -7 : 7), Math.max(top + 4, this.box.top + 10));
  }

  /** Match the canvas to its size on the screen. */
  #fit() {
    const { clientWidth, clientHeight } = this.#canvas;
    const ratio = devicePixelRatio || 1;
    [this.width, this.height] = [Math.max(clientWidth, 60), Math.max(clientHeight, 60)];
    const [wide, high] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.#canvas.width !== wide || this.#canvas.height !== high) [this.#canvas.width, this.#canvas.height] = [wide, high];
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.font = FONT;
  }

  /** One length on the screen for a unit of x and of y. */
  #square() {
    const { left, top, width, height } = this.box;
    const side = Math.min(width, height);
    this.box = { left: left + (width - side) / 2, top: top + (height - side) / 2, width: side, height: side };
  }

  #axes() {
    const context = this.#context;
    const { left, top, width, height } = this.box;
    context.strokeStyle = GRID;
    context.fillStyle = INK;
    context.lineWidth = 1;
    context.beginPath();
    context.textAlign = "center";
    for (const mark of this.logX ? decades(...this.x) : ticks(...this.x, Math.max(4, width / 80))) {
      context.moveTo(this.atX(mark), top);
      context.lineTo(this.atX(mark), top + height);
      context.fillText(label(mark), this.atX(mark), top + height + 14);
    }
    context.textAlign = "right";
    for (const mark of this.logY ? decades(...this.y) : ticks(...this.y, Math.max(4, height / 34))) {
      context.moveTo(left, this.atY(mark));
      context.lineTo(left + width, this.atY(mark));
      context.fillText(label(mark), left - 5, this.atY(mark) + 4);
    }
    context.stroke();
  }
}
