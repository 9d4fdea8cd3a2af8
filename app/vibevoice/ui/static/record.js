// A recording from the microphone, with a clock and a level.

const MOST_S = 60;

export const possible = () => Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);

export class Recording {
  /** `on.tick(seconds, level)` while it runs, `on.done(blob, name)` at its end; asks for the microphone. */
  static async start(on) {
    const stream = await navigator.mediaDevices.getUserMedia({
      // What makes calls pleasant makes voices dull.
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: true, channelCount: 1 },
    });
    return new Recording(stream, on);
  }

  constructor(stream, on) {
    Object.assign(this, { stream, on, chunks: [], began: performance.now() });
    const kind = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"].find((one) => MediaRecorder.isTypeSupported(one));
    this.recorder = new MediaRecorder(stream, { mimeType: kind, audioBitsPerSecond: 160_000 });
    this.recorder.addEventListener("dataavailable", (event) => this.chunks.push(event.data));
    this.recorder.addEventListener("stop", () => this.done());
    this.recorder.start(1000);
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.timer = setInterval(() => this.tick(), 100);
  }

  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  tick() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, one) => sum + one * one, 0) / this.samples.length;
    // From -60 dB to full.
    this.on.tick(this.seconds, Math.max(0, 1 + (10 * Math.log10(power + 1e-9)) / 60));
    if (this.seconds >= MOST_S) this.stop();
  }

  stop() {
    clearInterval(this.timer);
    if (this.recorder.state !== "inactive") this.recorder.stop();
    this.stream.getTracks().forEach((track) => track.stop());
    this.context.close().catch(() => {});
  }

  done() {
    const kind = this.recorder.mimeType.split(";")[0];
    const suffix = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" }[kind] ?? "webm";
    this.on.done(new Blob(this.chunks, { type: kind }), `recording.${suffix}`);
  }
}
