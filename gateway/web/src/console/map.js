// Devices and stations as points: drawn here, without tiles. Far apart points stand alone, near
// ones together; colour and shape say how each is. 5,000 points are drawn in a few milliseconds.
'use strict';
(() => {
  const canvas = document.getElementById('map');
  if (!canvas) return;
  const list = document.getElementById('here'), CELL = 44;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // How it is, worst last: its shape and colour.
  const LOOKS = [
    ['dot', '--good'], ['ring', '--soft'], ['circle', '--notice'], ['square', '--warning'],
    ['diamond', '--critical'], ['triangle', '--fire'],
  ];
  let points = [], layer = null, scale = 1, cx = 0, cy = 0, shown = [], bad = [], waiting = false, own = false;
  const flat = (lat, lon) => [lon * Math.PI / 180,
    -Math.log(Math.tan(Math.PI / 4 + lat * Math.PI / 360))];

  async function load() {
    const answer = await standpipe.ask('/map/points', { headers: standpipe.headers });
    if (!answer.ok) return;
    const body = await answer.json();
    points = body.points.map(([kind, id, name, lat, lon, look]) => {
      const [x, y] = flat(lat, lon);
      return { kind, id, name, x, y, look };
    });
    layer = body.layer;
    if (!own && points.length) fit(); // until somebody looks where they like
    later();
  }
  function fit() {
    own = false;
    const xs = points.map((it) => it.x), ys = points.map((it) => it.y);
    const [w, e] = [Math.min(...xs), Math.max(...xs)], [n, s] = [Math.min(...ys), Math.max(...ys)];
    cx = (w + e) / 2;
    cy = (n + s) / 2;
    scale = 0.8 * Math.min(canvas.clientWidth / Math.max(e - w, 1e-6), canvas.clientHeight / Math.max(s - n, 1e-6));
  }
  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
    if (canvas.width !== wide * ratio || canvas.height !== high * ratio) {
      canvas.width = wide * ratio;
      canvas.height = high * ratio;
    }
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colour('--tint');
    pen.fillRect(0, 0, wide, high);
    const at = (x, y) => [(x - cx) * scale + wide / 2, (y - cy) * scale + high / 2];
    ground(pen, at);
    const cells = new Map(), stations = [];
    bad = [];
    for (const it of points) {
      const [x, y] = at(it.x, it.y);
      if (x < -CELL || y < -CELL || x > wide + CELL || y > high + CELL) continue;
      const one = { n: 1, bad: it.look > 1 ? 1 : 0, x, y, look: it.look, it };
      if (it.kind === 's') { stations.push({ ...one, bad: 0 }); continue; }
      if (one.bad && x > 0 && y > 0 && x < wide && y < high) bad.push(it);
      const key = Math.floor(x / CELL) + ',' + Math.floor(y / CELL), cell = cells.get(key);
      if (cell) join(cell, one); else cells.set(key, one);
    }
    const marks = apart([...cells.values()]).map((it) => beside(it, stations));
    marks.sort((a, b) => a.look - b.look);
    shown = [...stations, ...marks];
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const font = getComputedStyle(document.body).fontFamily, small = Math.round(rem * 0.78) + 'px ' + font;
    for (const it of stations) house(pen, it);
    for (const it of marks) {
      const [shape, name] = LOOKS[it.look], size = radius(it);
      mark(pen, it.n > 1 && it.look < 2 ? 'circle' : shape, it.x, it.y, size, colour(name));
      if (it.n > 1) {
        pen.fillStyle = colour('--on');
        pen.font = `bold ${it.bad ? 11 : 12}px ${font}`;
        pen.fillText(it.bad ? it.bad + '/' + it.n : it.n, it.x, it.y + (shape === 'triangle' ? 5 : 0));
      }
    }
    pen.font = small;
    const taken = shown.map((it) => { const r = 1.2 * radius(it); return [it.x - r, it.y - r, 2 * r, 2 * r]; });
    taken.push([0, high - 36, 140, 36]); // the bar
    const alone = marks.filter((it) => it.n === 1).reverse();
    for (const it of alone.filter((one) => one.bad)) label(pen, it, taken, wide);
    for (const it of stations) label(pen, it, taken, wide);
    if (scale > 4e6) for (const it of alone.filter((one) => !one.bad)) label(pen, it, taken, wide);
    bar(pen, high);
    tell();
  }
  const radius = (it) => it.it.kind === 's' ? 11
    : it.n > 1 ? (it.bad ? 16 : 12) + Math.min(12, Math.log2(it.n) * 2) : it.bad ? 10 : 6;
  // One mark for two; the worse one speaks for both.
  function join(to, it) {
    const n = to.n + it.n;
    to.x = (to.x * to.n + it.x * it.n) / n;
    to.y = (to.y * to.n + it.y * it.n) / n;
    to.n = n;
    to.bad += it.bad;
    if (it.look > to.look) { to.look = it.look; to.it = it.it; }
  }
  // A mark of many stands where most of them are: a little aside of a station will do.
  function beside(it, stations) {
    for (const other of it.n > 1 ? stations : []) {
      const far = Math.hypot(it.x - other.x, it.y - other.y), least = 1.2 * radius(it) + 12;
      if (far >= least) continue;
      const by = far > 1 ? least / far : 0;
      it.x = other.x + (by ? (it.x - other.x) * by : least);
      it.y = other.y + (it.y - other.y) * by;
    }
    return it;
  }
  // Marks that would lie on each other stand together.
  function apart(all) {
    const WIDE = 72; // the largest two, side by side
    for (let turn = 0; turn < 5; turn++) {
      const kept = new Map(), before = all.length;
      for (const it of all) {
        const gx = Math.floor(it.x / WIDE), gy = Math.floor(it.y / WIDE);
        let near = null;
        for (let n = 0; n < 9 && !near; n++) {
          near = (kept.get((gx + n % 3 - 1) + ',' + (gy + Math.floor(n / 3) - 1)) || []).find((other) =>
            Math.hypot(it.x - other.x, it.y - other.y) < 1.1 * (radius(it) + radius(other)));
        }
        if (near) { join(near, it); continue; }
        const key = gx + ',' + gy;
        if (kept.has(key)) kept.get(key).push(it); else kept.set(key, [it]);
      }
      all = [...kept.values()].flat();
      if (all.length === before) break;
    }
    return all;
  }
  // A name beside its mark, where nothing else is; nowhere, when there is no room.
  function label(pen, it, taken, wide) {
    const text = it.it.name, w = pen.measureText(text).width + 4, h = 18, r = 1.2 * radius(it) + 1;
    const free = ([x, y]) => x > 0 && x + w < wide && !taken.some(([tx, ty, tw, th]) =>
      x < tx + tw && tx < x + w && y < ty + th && ty < y + h);
    const place = [[it.x - w / 2, it.y + r], [it.x - w / 2, it.y - r - h], [it.x + r, it.y - h / 2],
      [it.x - r - w, it.y - h / 2]].find(free);
    if (!place) return;
    taken.push([...place, w, h]);
    pen.lineWidth = 3;
    pen.lineJoin = 'round';
    pen.strokeStyle = colour('--tint');
    pen.strokeText(text, place[0] + w / 2, place[1] + h / 2);
    pen.fillStyle = colour('--ink');
    pen.fillText(text, place[0] + w / 2, place[1] + h / 2);
  }
  function mark(pen, shape, x, y, r, fill) {
    pen.beginPath();
    if (shape === 'triangle') { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.15, y + r); pen.lineTo(x - r * 1.15, y + r); }
    else if (shape === 'diamond') { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.2, y); pen.lineTo(x, y + r * 1.2); pen.lineTo(x - r * 1.2, y); }
    else if (shape === 'square') { pen.rect(x - r, y - r, 2 * r, 2 * r); }
    else { pen.arc(x, y, r, 0, 7); }
    pen.closePath();
    if (shape === 'ring') {
      pen.lineWidth = 2;
      pen.setLineDash([3, 2]);
      pen.strokeStyle = fill;
      pen.stroke();
      pen.setLineDash([]);
      return;
    }
    pen.fillStyle = fill;
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = colour('--card');
    pen.stroke();
  }
  function house(pen, it) {
    const ink = colour('--ink');
    pen.beginPath();
    pen.moveTo(it.x - 9, it.y + 8); pen.lineTo(it.x - 9, it.y - 2); pen.lineTo(it.x, it.y - 11);
    pen.lineTo(it.x + 9, it.y - 2); pen.lineTo(it.x + 9, it.y + 8);
    pen.closePath();
    pen.fillStyle = it.look ? ink : colour('--card'); // hollow: nobody is there
    pen.fill();
    pen.lineWidth = 2;
    pen.strokeStyle = ink;
    pen.stroke();
  }
  function ground(pen, at) {
    if (!layer) return;
    pen.strokeStyle = colour('--line');
    pen.lineWidth = 1.5;
    for (const line of layer) {
      pen.beginPath();
      line.forEach(([lon, lat]) => { const [x, y] = at(...flat(lat, lon)); pen.lineTo(x, y); });
      pen.stroke();
    }
  }
  function bar(pen, high) {
    const lat = 2 * Math.atan(Math.exp(-cy)) - Math.PI / 2;
    const metre = scale / 6378137 / Math.cos(lat), raw = 120 / metre, ten = 10 ** Math.floor(Math.log10(raw));
    const far = [5, 2, 1].map((it) => it * ten).find((it) => it <= raw) || ten;
    pen.fillStyle = colour('--ink');
    pen.fillRect(12, high - 16, far * metre, 3);
    pen.textAlign = 'left';
    pen.fillText(far >= 1000 ? far / 1000 + ' km' : far + ' m', 12, high - 26);
    pen.textAlign = 'center';
  }
  // For who can't see it: what is in the picture and is not well, each by itself, as links.
  const LIST = 20, CLASSES = ['', '', 'notice', 'warning', 'critical', 'fire'];
  let told = null;
  function tell() {
    bad.sort((a, b) => b.look - a.look || a.name.localeCompare(b.name, undefined, { numeric: true }));
    const key = bad.map((it) => it.id + it.look).join();
    if (key === told) return;
    told = key;
    const line = (words) => { const row = document.createElement('li'); row.append(words); return row; };
    const rows = bad.slice(0, LIST).map((it) => {
      const link = document.createElement('a'), row = line(link), name = CLASSES[it.look];
      link.href = '/devices/' + encodeURIComponent(it.id);
      link.textContent = it.name;
      row.className = 'cond ' + name;
      const sign = document.querySelector(`.legend .${name} svg`);
      if (sign) row.prepend(sign.cloneNode(true));
      return row;
    });
    if (bad.length > LIST) rows.push(line('+ ' + (bad.length - LIST)));
    list.replaceChildren(...(rows.length ? rows : [line(list.dataset.none)]));
  }

  function zoom(by, px, py) {
    own = true;
    const wide = canvas.clientWidth, high = canvas.clientHeight;
    const next = Math.min(4e8, Math.max(60, scale * by));
    cx += (px - wide / 2) * (1 / scale - 1 / next);
    cy += (py - high / 2) * (1 / scale - 1 / next);
    scale = next;
    later();
  }
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY);
  }, { passive: false });
  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    moved = 0;
  });
  canvas.addEventListener('pointermove', (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const now = [event.offsetX, event.offsetY];
    const other = [...fingers.entries()].find(([id]) => id !== event.pointerId);
    fingers.set(event.pointerId, now);
    moved += Math.abs(now[0] - old[0]) + Math.abs(now[1] - old[1]);
    if (other) {
      const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      zoom(far(now, other[1]) / far(old, other[1]), other[1][0], other[1][1]);
    } else {
      own = true;
      cx -= (now[0] - old[0]) / scale;
      cy -= (now[1] - old[1]) / scale;
      later();
    }
  });
  canvas.addEventListener('pointerup', (event) => {
    fingers.delete(event.pointerId);
    if (moved < 8) pick(event.offsetX, event.offsetY);
  });
  canvas.addEventListener('pointercancel', (event) => fingers.delete(event.pointerId));
  function pick(x, y) {
    const near = [...shown].reverse().find((it) => Math.hypot(it.x - x, it.y - y) < 24);
    if (!near) return;
    if (near.n > 1 && scale < 3e8) zoom(3, x, y);
    else if (near.it.kind !== 's') location.href = '/devices/' + encodeURIComponent(near.it.id);
  }
  canvas.addEventListener('keydown', (event) => {
    const step = 60 / scale, wide = canvas.clientWidth, high = canvas.clientHeight;
    if (event.key === 'ArrowLeft') cx -= step;
    else if (event.key === 'ArrowRight') cx += step;
    else if (event.key === 'ArrowUp') cy -= step;
    else if (event.key === 'ArrowDown') cy += step;
    else if (event.key === '+' || event.key === '=') zoom(1.5, wide / 2, high / 2);
    else if (event.key === '-') zoom(1 / 1.5, wide / 2, high / 2);
    else if (event.key === '0') fit();
    else return;
    if (event.key !== '0') own = true;
    event.preventDefault();
    later();
  });
  for (const button of document.querySelectorAll('[data-zoom]')) {
    button.addEventListener('click', () => {
      const by = Number(button.dataset.zoom);
      if (by) zoom(by, canvas.clientWidth / 2, canvas.clientHeight / 2);
      else { fit(); later(); }
    });
  }
  window.addEventListener('resize', () => { if (!own && points.length) fit(); later(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', later);
  let timer = 0;
  document.addEventListener('standpipe', (event) => {
    if (['device', 'presence', 'all'].includes(event.detail) && !timer) {
      timer = setTimeout(() => { timer = 0; load(); }, 1000);
    }
  });
  load();
  window.standpipeMap = { draw, count: () => points.length, shown: () => shown.length };
})();
