// What makes a page live: the stream, the loud warning when it is lost, the sound, the keys.
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
          const focus = document.activeElement && part.contains(document.activeElement)
            ? document.activeElement.closest('[id]') : null;
          const action = document.activeElement && document.activeElement.dataset
            ? document.activeElement.dataset.key : null;
          part.innerHTML = text;
          state.text = text;
          const back = focus && focus.id && $(focus.id);
          const button = back && action && back.querySelector(`[data-key="${action}"]`);
          if (button) button.focus({ preventScroll: true });
        }
        settle();
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
      const age = JSON.parse(event.data).chain_age_ms;
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

  // Sound. A browser plays none before somebody touched the page.
  let audio = null;
  function unlock() {
    if (!audio && window.AudioContext) audio = new AudioContext();
    if (audio && audio.state !== 'running') audio.resume().then(settle, () => {});
    settle();
  }
  function beep(hertz, seconds, after = 0) {
    if (!audio || audio.state !== 'running') return;
    const tone = audio.createOscillator(), gain = audio.createGain(), at = audio.currentTime + after;
    tone.type = 'square';
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0.001, at);
    gain.gain.linearRampToValueAtTime(0.5, at + 0.02);
    gain.gain.setValueAtTime(0.5, at + seconds - 0.03);
    gain.gain.linearRampToValueAtTime(0.001, at + seconds);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + seconds);
  }
  let rang = 0;
  function ring() {
    const sounding = document.querySelector('[data-sound]');
    const kind = sounding ? sounding.dataset.sound : '';
    document.body.dataset.ringing = audio && audio.state === 'running' ? kind : '';
    if (kind === 'fire') {
      beep(880, 0.45); beep(660, 0.45, 0.5);
      document.title = (document.title.startsWith('▲') ? '' : '▲ ') + title;
    } else if (kind === 'critical' && Date.now() - rang > 15000) {
      rang = Date.now();
      beep(660, 0.2); beep(660, 0.2, 0.3);
    } else if (!kind && document.title !== title) {
      document.title = title;
    }
  }
  const title = document.title;

  // After every change of the page.
  const told = new Set();
  function settle() {
    const locked = !audio || audio.state !== 'running';
    if ($('silent')) $('silent').hidden = !locked;
    for (const it of document.querySelectorAll('[data-shown]')) {
      const own = location.pathname === '/incidents/' + it.dataset.shown;
      it.classList.toggle('own', own);
      if (!own && !it.contains(document.activeElement)) {
        const button = it.querySelector('button.act');
        if (button) button.focus();
      }
      const key = it.dataset.shown + '/' + it.dataset.episode;
      if (!told.has(key)) {
        told.add(key);
        send('/incidents/' + it.dataset.shown + '/act', 'action=shown').catch(() => told.delete(key));
      }
    }
    ago();
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
      const text = long(Date.now() - Number(it.dataset.ago)) + AGO;
      if (it.textContent !== text) it.textContent = text;
    }
  }

  // Buttons of the page, without leaving it.
  document.addEventListener('submit', (event) => {
    const form = event.target, sure = event.submitter && event.submitter.dataset.sure;
    if (sure && !window.confirm(sure)) { event.preventDefault(); return; }
    if (!form.matches('form[data-live]')) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter || undefined));
    if (form.dataset.sending) return;
    form.dataset.sending = '1';
    ask(form.getAttribute('action'), { method: 'POST', headers, body: fields }).then(async (answer) => {
      delete form.dataset.sending;
      if (answer.status === 401) { gone(); return; }
      if (!answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        tell(page.querySelector('main'));
      } else { form.reset(); }
      happened('all');
    }, () => { delete form.dataset.sending; heardAt = 0; show(); });
  });
  function tell(main) {
    if (!main) return;
    const box = document.createElement('dialog');
    box.append(...main.childNodes);
    for (const link of box.querySelectorAll('a.button')) {
      link.addEventListener('click', (event) => { event.preventDefault(); box.close(); });
    }
    box.addEventListener('close', () => box.remove());
    document.body.append(box);
    box.showModal();
  }

  // Keys: of the fire that fills the screen, else of the only thing on the page.
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest && event.target.closest('input, textarea, select, dialog')) return;
    unlock();
    const scope = document.querySelector('.takeover:not(.own)') || document;
    const key = event.key.toUpperCase();
    const buttons = [...scope.querySelectorAll('button[data-key]')].filter((it) => it.dataset.key === key);
    if (key.length === 1 && buttons.length > 0) { event.preventDefault(); buttons[0].click(); }
  });
  document.addEventListener('pointerdown', unlock);
  document.addEventListener('click', (event) => {
    if (event.target.closest('#unlock')) unlock();
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
    if ($('clock')) $('clock').textContent = here.format(new Date());
  }
  setInterval(tick, 1000);
  window.addEventListener('offline', () => { heardAt = 0; show(); });
  // For pages with scripts of their own.
  window.standpipe = { ask, headers, long, refresh };
  try { unlock(); } catch { /* no sound here */ }
  settle();
  listen();
})();
