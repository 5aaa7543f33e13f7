// What makes a page live: the stream, the loud warning when it is lost, the sound, the buttons. The fire
// screen and the keys are in alarm.js.
// An element with data-from is fetched anew from there when the stream says that something of
// data-on happened (any of several words; without it: incidents), and every data-every seconds.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const csrf = document.body.dataset.csrf || '';
  const headers = { 'x-live': '1', 'x-standpipe-csrf': csrf };
  const LOST_AFTER_MS = 9000; // the gateway says something every 4 s
  const HERE_EVERY_MS = 12000;
  const ASK_MS = 10000; // as long as the gateway may take for an answer
  let heardAt = Date.now(), hereAt = 0, source = null, left = false;

  // Asks the gateway; without the whole answer after a while, that has failed.
  function ask(path, options) {
    const end = new AbortController();
    setTimeout(() => end.abort(), ASK_MS);
    return fetch(path, { ...options, signal: end.signal });
  }

  // The gateway's clock, as this page knows it: whatever is late only makes it too early.
  let ahead = Number(document.body.dataset.now || Date.now()) - Date.now(), told = [];
  const now = () => Date.now() + ahead;
  const OFF_MS = 5000; // from here on a computer's clock is told of
  function clockIs(ms) {
    told = [...told, ms - Date.now()].slice(-5);
    ahead = Math.max(...told);
    const off = Math.abs(ahead) > OFF_MS && told.length > 1;
    if ($('off')) $('off').hidden = !off;
    if ($('off-by') && off) $('off-by').textContent = long(Math.round(Math.abs(ahead) / 1000) * 1000);
  }

  // Puts new content in the place of old, and touches only what differs: what has the focus keeps it,
  // and nobody loses a letter. Children are known again by their ids, or by data-k: a button never becomes
  // another one under somebody's finger.
  const FIELD = 'textarea, select, [contenteditable], ' +
    'input:not([type=hidden]):not([type=checkbox]):not([type=radio]):not([type=submit]):not([type=button])';
  const name = (node) => node.id || (node.dataset && node.dataset.k) || '';
  function patch(from, to) {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || name(from) !== name(to)) {
      from.replaceWith(to);
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) { from.nodeValue = to.nodeValue; return; }
    for (const { name: key } of [...from.attributes]) if (!to.hasAttribute(key)) from.removeAttribute(key);
    for (const { name: key, value } of to.attributes) {
      if (from.getAttribute(key) !== value) from.setAttribute(key, value);
    }
    if (!from.matches(FIELD)) children(from, to);
  }
  function children(from, to) {
    const wanted = new Set([...to.children].map(name).filter((id) => id));
    let at = from.firstChild;
    const gone = (node) => node && name(node) && !wanted.has(name(node));
    for (const child of [...to.childNodes]) {
      while (gone(at)) { const next = at.nextSibling; at.remove(); at = next; }
      const known = name(child) && [...from.children].find((node) => name(node) === name(child));
      if (known && known !== at) from.insertBefore(known, at);
      const old = known || (at && !name(at) && !name(child) ? at : null);
      if (!old) { from.insertBefore(child, at); continue; }
      at = old.nextSibling;
      patch(old, child);
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  }

  // Text that changes: fetched, put in place only when it differs.
  const parts = () => [...document.querySelectorAll('[data-from]')];
  const states = new WeakMap();
  async function refresh(part) {
    const state = states.get(part) || { busy: false, again: false, text: null };
    states.set(part, state);
    if (state.busy) { state.again = true; return; }
    state.busy = true;
    try {
      const answer = await ask(part.dataset.from, { headers, cache: 'no-store' });
      if (answer.status === 401) { gone(); return; }
      if (answer.ok) {
        const text = await answer.text();
        if (text !== state.text) {
          const fresh = document.createElement('template');
          fresh.innerHTML = text;
          children(part, fresh.content);
          state.text = text;
        }
        settle(part);
      }
    } catch { /* the stream's silence says it loudly enough */ }
    state.busy = false;
    if (state.again) { state.again = false; refresh(part); }
  }
  function happened(kind) {
    for (const part of parts()) {
      const on = (part.dataset.on || 'incident').split(' ');
      if (kind === 'all' || on.includes(kind)) refresh(part);
    }
    document.dispatchEvent(new CustomEvent('standpipe', { detail: kind }));
  }

  // The stream. The browser comes back by itself and says what it had last.
  const soon = {};
  function later(kind) { // the first at once, what follows within a moment together
    const now = Date.now(), state = soon[kind] || (soon[kind] = { at: 0, timer: 0 });
    if (now - state.at > 300) { state.at = now; happened(kind); return; }
    if (!state.timer) {
      state.timer = setTimeout(() => { state.timer = 0; state.at = Date.now(); happened(kind); }, 300);
    }
  }
  function listen() {
    source = new EventSource('/live');
    const heard = () => { heardAt = Date.now(); show(); speak(); };
    source.onopen = () => { heard(); happened('all'); };
    source.addEventListener('beat', (event) => {
      heard();
      const { chain_age_ms: age, now_ms: said } = JSON.parse(event.data);
      if (said) clockIs(said);
      if (age !== null) { beat = { age, at: Date.now() }; pulse(); }
    });
    source.addEventListener('reset', () => { heard(); happened('all'); });
    for (const kind of ['incident', 'device', 'page', 'presence']) {
      source.addEventListener(kind, (event) => {
        heard();
        later(kind);
        if (kind === 'device') {
          document.dispatchEvent(new CustomEvent('standpipe-device', { detail: event.data }));
        }
      });
    }
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        ask('/takeover', { headers }).then((it) => { if (it.status === 401) gone(); else again(); }, again);
      }
    };
  }
  function again() { setTimeout(() => { if (!left) listen(); }, 2000); }
  function gone() { left = true; if (source) source.close(); show(); }
  function show() {
    const lost = !left && Date.now() - heardAt > LOST_AFTER_MS;
    if ($('left')) $('left').hidden = !left;
    if ($('lost') && $('lost').hidden === lost) {
      $('lost').hidden = !lost;
      document.body.classList.toggle('lost', lost);
      if (lost) beep(220, 0.6);
    }
  }

  // The chain's heartbeat: told with the page and by the stream, and older by the second from then on.
  const chain = $('chain');
  let beat = chain ? { age: Number(chain.dataset.age), at: Date.now() } : null;
  function pulse() {
    if (!chain || !beat) return;
    const age = beat.age + Date.now() - beat.at, still = !left && age > Number(chain.dataset.limit);
    if (chain.hidden === still) {
      chain.hidden = !still;
      if (still) beep(220, 0.6);
    }
    const text = long(age) + AGO;
    for (const it of document.querySelectorAll('[data-beat]')) {
      if (it.textContent !== text) it.textContent = text;
    }
  }

  // The page is open: its station is there.
  function speak() {
    if (Date.now() - hereAt < HERE_EVERY_MS || !document.body.dataset.station) return;
    hereAt = Date.now();
    ask('/here', { method: 'POST', headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'csrf=' + encodeURIComponent(csrf) }).then((it) => { if (it.status === 401) gone(); }, () => {});
  }

  // Sound. A browser plays none before somebody touched the page, and says so where it is asked.
  let audio = null, out = null, played = 0;
  function unlock() {
    if (!audio && window.AudioContext) {
      audio = new AudioContext();
      audio.onstatechange = () => settle();
    }
    if (audio && audio.state !== 'running') audio.resume().then(() => settle(), () => {});
    settle();
  }
  function hush() { // what is to sound later, too
    if (out) out.disconnect();
    out = null;
    played = 0;
  }
  function beep(hertz, seconds, after = 0) {
    if (!audio || audio.state !== 'running') return;
    if (!out) { out = audio.createGain(); out.connect(audio.destination); }
    const tone = audio.createOscillator(), gain = audio.createGain(), at = audio.currentTime + after;
    tone.type = 'square';
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0.001, at);
    gain.gain.linearRampToValueAtTime(0.5, at + 0.02);
    gain.gain.setValueAtTime(0.5, at + seconds - 0.03);
    gain.gain.linearRampToValueAtTime(0.001, at + seconds);
    tone.connect(gain).connect(out);
    tone.start(at);
    tone.stop(at + seconds);
  }
  // Rings until a little after the next tick. A page that is hidden is woken once a minute at worst, so
  // it rings ahead.
  const PERIOD_S = { fire: 1, critical: 15 };
  let rings = '';
  function ring() {
    const sounding = document.querySelector('[data-sound]');
    const wanted = window.standpipe && window.standpipe.sound;
    const kind = wanted ? wanted() : sounding ? sounding.dataset.sound : '';
    const can = audio && audio.state === 'running';
    document.body.dataset.ringing = can ? kind : '';
    if (kind !== rings) { hush(); rings = kind; }
    if (kind && can) {
      const until = audio.currentTime + (document.hidden ? 65 : 0.9);
      for (played = Math.max(played, audio.currentTime); played <= until; played += PERIOD_S[kind]) {
        const after = played - audio.currentTime;
        if (kind === 'fire') { beep(880, 0.45, after); beep(660, 0.45, after + 0.5); }
        else { beep(660, 0.2, after); beep(660, 0.2, after + 0.3); }
      }
    }
    const shown = kind === 'fire' && !document.title.startsWith('▲') ? '▲ ' + title : title;
    if (document.title !== shown) document.title = shown;
  }
  const title = document.title;

  // After every change of the page.
  function settle(part) {
    const locked = !audio || audio.state !== 'running';
    if ($('silent')) $('silent').hidden = !locked;
    document.dispatchEvent(new CustomEvent('standpipe-settled', { detail: part || null }));
    ago();
    ring();
  }
  function send(to, body) {
    return ask(to, { method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: body + '&csrf=' + encodeURIComponent(csrf) });
  }

  // How long, in words: text.rs says it the same way.
  const zh = document.documentElement.lang.startsWith('zh');
  const [D, H, M, S, AGO] = zh ? [' 天', ' 小时', ' 分', ' 秒', '前'] : [' d', ' h', ' min', ' s', ' ago'];
  function long(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    if (d) return `${d}${D} ${h}${H}`;
    if (h) return `${h}${H} ${m}${M}`;
    if (m > 9) return m + (zh ? ' 分钟' : M);
    return m ? `${m}${M} ${s % 60}${S}` : s + S;
  }
  function ago() {
    for (const it of document.querySelectorAll('[data-ago]')) {
      const text = long(now() - Number(it.dataset.ago)) + AGO;
      if (it.textContent !== text) it.textContent = text;
    }
  }

  // Buttons of the page, without leaving it.
  const sending = new WeakSet();
  document.addEventListener('submit', (event) => {
    const form = event.target, sure = event.submitter && event.submitter.dataset.sure;
    if (sure && !window.confirm(sure)) { event.preventDefault(); return; }
    if (!form.matches('form[data-live]')) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter || undefined));
    if (sending.has(form)) return;
    sending.add(form);
    ask(form.getAttribute('action'), { method: 'POST', headers, body: fields }).then(async (answer) => {
      sending.delete(form);
      if (answer.status === 401) { gone(); return; }
      const box = form.closest('dialog'), text = await answer.text();
      if (box) box.close();
      if (!answer.ok) {
        tell(new DOMParser().parseFromString(text, 'text/html').querySelector('main'));
      } else {
        for (const field of form.querySelectorAll(FIELD)) { // but for what was written meanwhile
          if (field.name && fields.get(field.name) === field.value) field.value = field.defaultValue || '';
        }
        if (form.closest('#undo')) note('');
        if (text) note(text);
      }
      happened('all');
    }, () => { sending.delete(form); heardAt = 0; show(); });
  });
  // What can be taken back, for as long as it can.
  const UNDO_MS = 30000;
  let noted = 0;
  function note(text) {
    if (!$('undo')) return;
    clearTimeout(noted);
    $('undo').innerHTML = text;
    $('undo').hidden = !text;
    if (text) noted = setTimeout(() => note(''), UNDO_MS);
  }
  function tell(main) {
    if (!main) return;
    const box = document.createElement('dialog');
    box.append(...main.childNodes);
    for (const link of box.querySelectorAll('a.button')) {
      link.addEventListener('click', (event) => { event.preventDefault(); box.close(); });
    }
    box.addEventListener('close', () => { box.remove(); settle(); });
    document.body.append(box);
    box.showModal();
    settle();
  }

  document.addEventListener('keydown', unlock, true);
  document.addEventListener('pointerdown', unlock, true);
  document.addEventListener('click', (event) => {
    if (event.target.closest('#unlock')) unlock();
    if (event.target.closest('#tone')) { unlock(); setTimeout(() => beep(880, 0.6), 100); }
    if (event.target.closest('[data-print]')) window.print();
  });

  const here = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: document.body.dataset.zone || 'UTC' });
  let ticks = 0;
  function tick() {
    ticks += 1;
    for (const part of document.querySelectorAll('[data-every]')) {
      if (!document.hidden && ticks % Number(part.dataset.every) === 0) refresh(part);
    }
    show();
    pulse();
    ago();
    ring();
    if ($('clock')) $('clock').textContent = here.format(new Date(now()));
  }
  // A wall never goes dark.
  async function awake() {
    if (document.hidden || !('awake' in document.body.dataset) || !navigator.wakeLock) return;
    try {
      await navigator.wakeLock.request('screen');
      document.body.dataset.awake = 'yes';
    } catch { document.body.dataset.awake = 'refused'; }
  }
  document.addEventListener('visibilitychange', () => { awake(); tick(); });
  awake();
  setInterval(tick, 1000);
  window.addEventListener('offline', () => { heardAt = 0; show(); });
  // For pages with scripts of their own.
  window.standpipe = { AGO, FIELD, ask, headers, long, now, refresh, ring, send };
  try { unlock(); } catch { /* no sound here */ }
  settle();
  listen();
})();
