"use strict";
// A piano roll that can be heard: notes, bar lines and a cursor; the notes are planned a little ahead of the clock.

const AHEAD_S = 1.2; // browsers wake a hidden page once a second
const ROLL_TOP = 22;
const ROLL_LEFT = 34;
let playing = null; // one piece sounds at a time
let synth = null;

class Roll {
  constructor(figure, data) {
    this.figure = figure;
    this.find = (selector) => figure.querySelector(selector);
    this.canvas = this.find("canvas");
    this.scroll = this.find(".scroll");
    this.strip = this.find(".strip");
    this.cursor = this.find(".cursor");
    this.slider = this.find(".seek input");
    this.onset = sums(data.onset);
    this.lines = sums(data.lines);
    this.data = data;
    this.longest = data.duration.reduce((a, b) => Math.max(a, b), 0);
    this.end = this.lines[this.lines.length - 1];
    this.at = 0; // milliseconds into the piece
    this.zoom = 1;
    this.slider.max = this.end;
    this.listen();
    this.show();
  }

  listen() {
    this.on(".play", () => (playing === this ? this.pause() : this.play()));
    this.on(".to-start", () => this.seek(0, true));
    if (this.data.split) this.on(".to-new", () => this.seek(this.lines[this.data.split], true));
    this.on(".narrower", () => this.zoomBy(1 / 1.5));
    this.on(".wider", () => this.zoomBy(1.5));
    this.slider.addEventListener("input", () => this.seek(+this.slider.value, true));
    this.slider.addEventListener("keydown", (event) => this.byBar(event));
    this.find(".volume input").addEventListener("input", () => this.setVolume());
    this.scroll.addEventListener("scroll", () => this.paint(), { passive: true });
    this.strip.addEventListener("click", (event) => {
      const x = event.clientX - this.strip.getBoundingClientRect().left - ROLL_LEFT;
      this.seek(Math.max(0, x / this.scale), false);
    });
    for (const control of this.figure.querySelectorAll("button, input")) control.disabled = false;
  }

  on(selector, act) {
    this.find(selector).addEventListener("click", act);
  }

  // Arrow keys on the slider go from bar line to bar line.
  byBar(event) {
    const forward = ["ArrowRight", "ArrowUp"].includes(event.key);
    if (!forward && !["ArrowLeft", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const bar = countUpTo(this.lines, this.at) - 1;
    const onLine = this.at - this.lines[Math.max(bar, 0)] < 1;
    this.seek(this.lines[Math.max(0, Math.min(this.lines.length - 1, forward ? bar + 1 : onLine ? bar - 1 : bar))], true);
  }

  async play() {
    if (playing) playing.pause();
    if (this.at >= this.end - 1) this.at = 0;
    playing = this;
    this.find(".play").textContent = "Pause";
    try {
      synth = synth || new Synth();
      if (synth.context.state !== "running") await Promise.race([synth.context.resume(), later(700)]);
    } catch (problem) {
      synth = null;
    }
    if (playing !== this) return;
    this.setVolume();
    const sounds = synth !== null && synth.context.state === "running";
    this.find(".trouble").textContent = sounds ? "" : "No sound: the browser gives this page no audio. The cursor moves all the same.";
    this.now = sounds ? () => synth.now() : () => performance.now() / 1000;
    this.sounds = sounds;
    this.begin();
    this.timer = setInterval(() => this.plan(), 50);
    this.frame = requestAnimationFrame(() => this.follow());
  }

  // The clock begins again at the place where we are.
  begin() {
    if (this.sounds) {
      synth.silence();
      synth.open();
    }
    this.from = this.at;
    this.started = this.now() + (this.sounds ? 0.06 : 0) - this.at / 1000;
    const from = countUpTo(this.onset, this.at - this.longest - 1);
    this.next = from;
    while (this.next < this.onset.length && this.onset[this.next] < this.at) this.next++;
    for (let i = from; i < this.next; i++) {
      if (this.onset[i] + this.data.duration[i] > this.at + 30) this.sound(i, this.at);
    }
    this.plan();
  }

  plan() {
    const until = (this.now() - this.started + AHEAD_S) * 1000;
    while (this.next < this.onset.length && this.onset[this.next] < until) {
      this.sound(this.next, this.onset[this.next]);
      this.next++;
    }
  }

  sound(i, from) {
    if (!this.sounds) return;
    const { program, pitch, velocity, duration } = this.data;
    const at = Math.max(this.started + from / 1000, synth.now());
    synth.play(program[i], pitch[i], velocity[i], at, (this.onset[i] + duration[i] - from) / 1000);
  }

  follow() {
    if (playing !== this) return;
    this.at = Math.max(this.from, Math.min((this.now() - this.started) * 1000, this.end));
    this.show();
    this.keepInView(0.85, 0.1);
    if (this.at >= this.end) this.pause();
    else this.frame = requestAnimationFrame(() => this.follow());
  }

  pause() {
    if (playing !== this) return;
    playing = null;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    if (synth) synth.silence();
    this.find(".play").textContent = "Play";
    this.show();
  }

  seek(at, inView) {
    this.at = Math.max(0, Math.min(at, this.end));
    if (playing === this && this.now) this.begin();
    this.show();
    if (inView) this.keepInView(0.95, 0.2);
  }

  setVolume() {
    if (synth) synth.volume.gain.value = (this.find(".volume input").value / 100) ** 2 * 1.6;
  }

  // The cursor, the slider and the clock say where we are.
  show() {
    const bar = Math.max(1, Math.min(countUpTo(this.lines, this.at), this.lines.length - 1));
    const text = `bar ${this.data.first + bar - 1}, ${clock(this.at)} of ${clock(this.end)}`;
    if (this.scale) this.cursor.style.transform = `translateX(${ROLL_LEFT + this.at * this.scale}px)`;
    this.slider.value = Math.round(this.at);
    if (this.said !== text) {
      this.said = text;
      this.find(".clock").textContent = text;
      this.slider.setAttribute("aria-valuetext", text);
    }
  }

  keepInView(limit, target) {
    const x = ROLL_LEFT + this.at * this.scale - this.scroll.scrollLeft;
    const width = this.scroll.clientWidth;
    if (x < ROLL_LEFT || x > limit * width) this.scroll.scrollLeft += x - Math.max(ROLL_LEFT, target * width);
  }

  zoomBy(times) {
    const left = this.scroll.scrollLeft / this.scale;
    this.zoom = Math.max(0.25, Math.min(8, this.zoom * times));
    this.draw();
    this.scroll.scrollLeft = left * this.scale;
  }

  // Wide enough for its bars, as wide as the page at least, and never wider than browsers can scroll.
  draw() {
    const firstTime = this.scale === undefined;
    const room = this.scroll.clientWidth - ROLL_LEFT - 6;
    const wanted = Math.max(room, (this.lines.length - 1) * 26) * this.zoom;
    const width = Math.max(room, Math.min(wanted, 4e6));
    this.scale = width / Math.max(this.end, 1);
    this.strip.style.width = ROLL_LEFT + width + 6 + "px";
    const pitches = this.data.pitch;
    this.low = pitches.reduce((a, b) => Math.min(a, b), 127) - 2;
    this.high = pitches.reduce((a, b) => Math.max(a, b), 0) + 2;
    if (!pitches.length) [this.low, this.high] = [58, 74];
    this.row = Math.max(3, Math.min(11, 330 / (this.high - this.low + 1)));
    if (firstTime && this.data.split) {
      const cut = this.lines[this.data.split] * this.scale;
      this.scroll.scrollLeft = cut > 0.6 * room ? cut - 0.4 * room : 0;
    }
    this.paint();
    this.show();
  }

  // What is in view, and no more: a long piece is wider than any canvas.
  paint() {
    const width = this.scroll.clientWidth;
    const height = ROLL_TOP + (this.high - this.low + 1) * this.row;
    const context = sized(this.canvas, width, height);
    const offset = this.scroll.scrollLeft - ROLL_LEFT;
    const [from, to] = [offset / this.scale, (offset + width) / this.scale];
    const x = (time) => time * this.scale - offset;
    const y = (pitch) => ROLL_TOP + (this.high - pitch) * this.row;
    this.rows(context, y, width);
    this.bars(context, x, from, to, height);
    this.notes(context, x, y, from, to);
    this.names(context, y, height);
  }

  rows(context, y, width) {
    context.strokeStyle = colour("rule");
    context.lineWidth = 1;
    context.beginPath();
    for (let pitch = 12 * Math.ceil(this.low / 12); pitch <= this.high; pitch += 12) {
      context.moveTo(ROLL_LEFT, Math.round(y(pitch - 1)) + 0.5);
      context.lineTo(width, Math.round(y(pitch - 1)) + 0.5);
    }
    context.stroke();
  }

  bars(context, x, from, to, height) {
    const { first, split } = this.data;
    const perBar = (this.end * this.scale) / Math.max(this.lines.length - 1, 1);
    const every = everyBars(34 / perBar);
    context.textBaseline = "middle";
    context.textAlign = "left";
    const begin = Math.max(0, countUpTo(this.lines, from) - 1);
    for (let bar = begin; bar < this.lines.length && this.lines[bar] <= to; bar++) {
      const isCut = bar === split && bar > 0;
      if (bar % every && !isCut && perBar < 6) continue;
      const at = Math.round(x(this.lines[bar])) + 0.5;
      context.strokeStyle = colour(isCut ? "new" : "rule");
      context.lineWidth = isCut ? 2 : 1;
      context.beginPath();
      context.moveTo(at, isCut ? 0 : ROLL_TOP - 4);
      context.lineTo(at, height);
      context.stroke();
      context.fillStyle = colour("soft");
      if (bar % every === 0 && bar < this.lines.length - 1 && at >= ROLL_LEFT - 2) context.fillText(first + bar, at + 3, ROLL_TOP / 2);
    }
  }

  notes(context, x, y, from, to) {
    const { pitch, duration, kind } = this.data;
    const colours = ["beside", "before", "new"].map(colour);
    const begin = countUpTo(this.onset, from - this.longest - 1);
    const end = countUpTo(this.onset, to);
    const gap = this.row > 5 ? 1 : 0;
    for (const layer of [0, 1, 2]) {
      context.fillStyle = colours[layer];
      for (let i = begin; i < end; i++) {
        if (kind[i] !== layer || this.onset[i] + duration[i] < from) continue;
        const width = Math.max(1.5, duration[i] * this.scale - 1);
        context.fillRect(x(this.onset[i]), y(pitch[i]) + gap / 2, width, this.row - gap);
      }
    }
  }

  // Octaves stand at the left edge, whatever is scrolled under them.
  names(context, y, height) {
    context.fillStyle = colour("raised");
    context.fillRect(0, 0, ROLL_LEFT - 2, height);
    context.fillStyle = colour("soft");
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText("bar", ROLL_LEFT - 6, ROLL_TOP / 2);
    for (let pitch = 12 * Math.ceil(this.low / 12); pitch <= this.high; pitch += 12) {
      context.fillText("C" + (pitch / 12 - 1), ROLL_LEFT - 6, y(pitch) + this.row / 2);
    }
  }
}

function later(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

function clock(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
