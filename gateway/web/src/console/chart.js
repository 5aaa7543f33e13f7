// A device's history: mean as a line, lowest to highest as a band, limits, incidents as marks.
// And, for the crew beside a hydrant, its gauge once a second.
'use strict';
(() => {
  const canvas = document.getElementById('chart');
  if (!canvas) return;
  const data = canvas.dataset, says = document.getElementById('chart-says');
  const LEAST = 600e3, MOST = 157680000e3; // ten minutes to five years
  let span = 86400e3, to = Date.now(), points = [], step = 0, asked = 0, words = '';
  const digits = data.unit === 'kPa' ? 0 : 2;
  const limits = data.limits ? data.limits.split(' ').map(Number) : [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  async function load() {
    const turn = ++asked, from = Math.round(to - span), until = Math.round(to);
    const query = `?field=${data.field}&from=${from}&to=${until}`;
    document.getElementById('csv').href = data.history + '.csv' + query;
    try {
      const answer = await standpipe.ask(data.history + query, { headers: standpipe.headers });
      if (turn !== asked) return;
      if (!answer.ok) throw new Error(String(answer.status));
      const body = await answer.json();
      points = body.points;
      step = body.step_ms;
      words = points.length ? '' : data.empty;
    } catch {
      if (turn !== asked) return;
      points = [];
      words = data.fails;
    }
    draw();
  }

  const zone = document.body.dataset.zone || 'UTC';
  function label(ms) {
    const day = span > 3 * 86400e3, year = span > 200 * 86400e3;
    const form = year ? { year: 'numeric', month: '2-digit' }
      : day ? { month: '2-digit', day: '2-digit' } : { hour: '2-digit', minute: '2-digit' };
    return new Intl.DateTimeFormat('en-CA', { ...form, hourCycle: 'h23', timeZone: zone }).format(ms);
  }
  function pleasant(range, about) {
    const raw = range / about, ten = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].map((it) => it * ten).find((it) => it >= raw) || ten * 10;
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
    canvas.width = wide * ratio;
    canvas.height = high * ratio;
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    pen.font = '13px ' + getComputedStyle(document.body).fontFamily;
    const left = 52, bottom = high - 24, top = 8, right = wide - 8;
    const from = to - span;
    let low = 0, most = Math.max(data.unit === 'kPa' ? 100 : 0.2, ...points.map((it) => it[3]));
    low = Math.min(0, ...points.map((it) => it[1]));
    for (const it of limits) if (it < most * 2) most = Math.max(most, it);
    most += (most - low) * 0.05;
    const x = (ms) => left + (ms - from) / span * (right - left);
    const y = (value) => bottom - (value - low) / (most - low) * (bottom - top);
    pen.clearRect(0, 0, wide, high);
    pen.strokeStyle = colour('--line');
    pen.fillStyle = colour('--soft');
    pen.lineWidth = 1;
    pen.textAlign = 'right';
    const tick = pleasant(most - low, 5);
    for (let value = Math.ceil(low / tick) * tick; points.length && value <= most; value += tick) {
      line(pen, [[left, y(value)], [right, y(value)]]);
      pen.fillText(String(Math.round(value * 1000) / 1000), left - 6, y(value) + 4);
    }
    pen.textAlign = 'center';
    const count = Math.max(2, Math.floor((right - left) / 110));
    for (let n = 0; n <= count; n++) {
      const at = from + span * n / count;
      pen.fillText(label(at), Math.min(Math.max(x(at), left + 20), right - 24), high - 6);
    }
    pen.save();
    pen.beginPath();
    pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    marks(pen, x, top, bottom);
    pen.setLineDash([6, 5]);
    pen.strokeStyle = colour('--critical');
    pen.lineWidth = 1.5;
    for (const it of points.length ? limits : []) if (it <= most) line(pen, [[left, y(it)], [right, y(it)]]);
    pen.setLineDash([]);
    const centre = (it) => x(it[0] + step / 2);
    for (const run of runs()) {
      pen.fillStyle = colour('--band');
      pen.beginPath();
      run.forEach((it) => pen.lineTo(centre(it), y(it[3])));
      [...run].reverse().forEach((it) => pen.lineTo(centre(it), y(it[1])));
      pen.fill();
      pen.strokeStyle = colour('--link');
      pen.lineWidth = 2;
      line(pen, run.map((it) => [centre(it), y(it[2])]));
      if (run.length === 1) {
        pen.fillStyle = colour('--link');
        pen.fillRect(centre(run[0]) - 1.5, y(run[0][2]) - 1.5, 3, 3);
      }
    }
    pen.restore();
    if (words) {
      pen.fillStyle = colour('--ink');
      pen.fillText(words, (left + right) / 2, (top + bottom) / 2);
    }
    const last = points[points.length - 1];
    const full = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone: zone });
    says.textContent = last ? `${full.format(from)} – ${full.format(to)} · ${
      Math.min(...points.map((it) => it[1])).toFixed(digits)} – ${
      Math.max(...points.map((it) => it[3])).toFixed(digits)} ${data.unit}` : words;
  }
  function line(pen, way) {
    pen.beginPath();
    way.forEach(([a, b]) => pen.lineTo(a, b));
    pen.stroke();
  }
  // A gap of many steps is a gap, not a line across it.
  function runs() {
    const all = [];
    const gaps = points.slice(1).map((it, n) => it[0] - points[n][0]).sort((a, b) => a - b);
    const gap = Math.max(3 * step, 3 * (gaps[gaps.length >> 1] || 0), 1);
    points.forEach((it, n) => {
      if (!n || it[0] - points[n - 1][0] > gap) all.push([]);
      all[all.length - 1].push(it);
    });
    return all;
  }
  function marks(pen, x, top, bottom) {
    for (const it of document.querySelectorAll('[data-mark]')) {
      const at = x(Number(it.dataset.mark)), end = x(Number(it.dataset.until || Date.now()));
      const fire = it.classList.contains('fire') || it.classList.contains('critical');
      pen.globalAlpha = 0.12;
      pen.fillStyle = colour(fire ? '--fire' : '--warning');
      pen.fillRect(at, top, Math.max(2, end - at), bottom - top);
      pen.globalAlpha = 1;
      pen.beginPath();
      pen.moveTo(at - 6, top);
      pen.lineTo(at + 6, top);
      pen.lineTo(at, top + 9);
      pen.fill();
    }
  }

  let timer = 0;
  function move(newSpan, newTo) {
    span = Math.min(MOST, Math.max(LEAST, newSpan));
    to = Math.min(newTo, Date.now() + span * 0.02);
    for (const it of document.querySelectorAll('[data-span]')) {
      it.setAttribute('aria-pressed', String(Math.abs(Number(it.dataset.span) - span) < 1));
    }
    draw();
    clearTimeout(timer);
    timer = setTimeout(load, 120);
  }
  for (const it of document.querySelectorAll('[data-span]')) {
    it.addEventListener('click', () => move(Number(it.dataset.span), Date.now()));
  }
  function zoom(by, at) { move(span * by, at + (to - at) * by); }
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.3 : 1 / 1.3, to - span * (1 - event.offsetX / canvas.clientWidth));
  }, { passive: false });
  let held = null;
  canvas.addEventListener('pointerdown', (event) => {
    held = { x: event.clientX, to };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (held) move(span, held.to - (event.clientX - held.x) / canvas.clientWidth * span);
  });
  canvas.addEventListener('pointerup', () => { held = null; });
  canvas.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
    if (by) move(span, to + span * by);
    else if (event.key === '+' || event.key === '=') zoom(0.5, to - span / 2);
    else if (event.key === '-') zoom(2, to - span / 2);
    else return;
    event.preventDefault();
  });
  window.addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  document.addEventListener('standpipe', () => { if (Date.now() - to < span * 0.05) draw(); });

  setInterval(() => { // what is newest moves in by itself
    if (!document.hidden && !held && Date.now() - to < span * 0.1 + 30e3) { to = Date.now(); load(); }
  }, 15e3);

  // Beside the hydrant.
  const live = document.getElementById('live');
  if (live) {
    const start = live.textContent;
    let until = 0, ticking = 0;
    const stop = () => {
      clearInterval(ticking);
      ticking = 0;
      live.textContent = start;
      live.setAttribute('aria-pressed', 'false');
      document.body.classList.remove('following');
    };
    live.addEventListener('click', async () => {
      if (ticking) { stop(); return; }
      until = Date.now() + 600e3;
      live.textContent = live.dataset.stop;
      live.setAttribute('aria-pressed', 'true');
      document.body.classList.add('following');
      ticking = setInterval(() => {
        if (Date.now() > until) { stop(); return; }
        standpipe.refresh(document.getElementById('now'));
      }, 1000);
      standpipe.ask(`/api/v1/devices/${encodeURIComponent(live.dataset.device)}/commands`, { method: 'POST',
        headers: { ...standpipe.headers, 'content-type': 'application/json' },
        body: JSON.stringify({ command: 'report_now', seconds: 600 }) }).catch(() => {});
    });
  }
  load();
})();
