"use strict";
// Notes to sound, by WebAudio alone: two families of pitched tones and one of drums. Times are seconds of the context.

// Relative strength of the harmonics, by what programs of General MIDI have in common.
const TONES = {
  struck: { harmonics: [1, 0.45, 0.22, 0.12, 0.06], attack: 0.004, decay: 1.1, sustain: 0.0, release: 0.12 },
  held: { harmonics: [1, 0.3, 0.38, 0.12, 0.16, 0.05], attack: 0.035, decay: 0.15, sustain: 0.75, release: 0.1 },
};

function toneOf(program) {
  const held = (program >= 16 && program < 24) || (program >= 40 && program < 46) || (program >= 48 && program < 104);
  return held || program === 110 || program === 109 || program === 111 ? "held" : "struck";
}

class Synth {
  constructor() {
    const Context = window.AudioContext || window.webkitAudioContext;
    this.context = new Context();
    this.volume = this.context.createGain();
    const limiter = this.context.createDynamicsCompressor();
    this.volume.connect(limiter).connect(this.context.destination);
    this.waves = {};
    for (const [name, tone] of Object.entries(TONES)) {
      const sines = Float32Array.from([0, ...tone.harmonics]);
      this.waves[name] = this.context.createPeriodicWave(new Float32Array(sines.length), sines);
    }
    this.noise = this.makeNoise();
    this.bus = null;
  }

  now() {
    return this.context.currentTime;
  }

  // From now on notes go to a new bus, so that what was planned before can be silenced as a whole.
  open() {
    this.bus = this.context.createGain();
    this.bus.connect(this.volume);
  }

  silence() {
    if (!this.bus) return;
    const bus = this.bus;
    bus.gain.setTargetAtTime(0, this.now(), 0.01);
    setTimeout(() => bus.disconnect(), 200);
    this.bus = null;
  }

  // A second of noise from a generator of our own: the same hiss every time.
  makeNoise() {
    const buffer = this.context.createBuffer(1, this.context.sampleRate, this.context.sampleRate);
    const samples = buffer.getChannelData(0);
    let seed = 1;
    for (let i = 0; i < samples.length; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      samples[i] = seed / 2147483648 - 1;
    }
    return buffer;
  }

  play(program, pitch, velocity, at, duration) {
    const loudness = 0.28 * (velocity / 127) ** 1.5;
    if (program === 128) this.drum(pitch, loudness, at);
    else this.tone(toneOf(program), pitch, loudness, at, duration);
  }

  tone(name, pitch, loudness, at, duration) {
    const tone = TONES[name];
    const source = this.context.createOscillator();
    source.setPeriodicWave(this.waves[name]);
    source.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    const gain = this.context.createGain();
    const end = at + Math.max(duration, 0.04);
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(loudness, at + tone.attack);
    gain.gain.setTargetAtTime(loudness * tone.sustain, at + tone.attack, tone.decay / 2);
    gain.gain.setTargetAtTime(0, end, tone.release / 3);
    source.connect(gain).connect(this.bus);
    source.start(at);
    source.stop(end + 2 * tone.release);
  }

  drum(pitch, loudness, at) {
    const gain = this.context.createGain();
    const low = pitch < 37 || [41, 43, 45, 47, 48, 50].includes(pitch);
    const length = low ? 0.25 : [46, 49, 51, 52, 55, 57, 59].includes(pitch) ? 0.5 : 0.12;
    let source;
    if (low) {
      source = this.context.createOscillator();
      const base = pitch < 37 ? 55 : 80 + 12 * (pitch - 41);
      source.frequency.setValueAtTime(2.2 * base, at);
      source.frequency.exponentialRampToValueAtTime(base, at + 0.08);
      source.connect(gain);
    } else {
      source = this.context.createBufferSource();
      source.buffer = this.noise;
      const filter = this.context.createBiquadFilter();
      filter.type = pitch === 38 || pitch === 40 ? "bandpass" : "highpass";
      filter.frequency.value = filter.type === "bandpass" ? 1800 : 6000;
      source.connect(filter).connect(gain);
    }
    gain.gain.setValueAtTime(2 * loudness, at);
    gain.gain.exponentialRampToValueAtTime(0.0001, at + length);
    gain.connect(this.bus);
    source.start(at);
    source.stop(at + length);
  }
}
