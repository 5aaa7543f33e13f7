// The fire screen, on the side of whoever looks (the server's side: screen.rs). What is new, which card
// is under the hand, what is set aside or silent here, where the focus is, and the keys.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const host = $('takeover'), { AGO, FIELD, long, now, refresh, ring, send } = window.standpipe;
  const GUARD_MS = 1000, SILENCE_MS = 60000;

  // Of this screen alone, and still there on its next page.
  const kept = (name, otherwise) => {
    try { return JSON.parse(sessionStorage.getItem(name)) || otherwise; } catch { return otherwise; }
  };
  const keep = (name, value) => {
    try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* this page alone, then */ }
  };
  // Whoever signs in after somebody begins anew.
  if (kept('session', '') !== document.body.dataset.csrf) {
    for (const name of ['aside', 'known', 'silent', 'told']) keep(name, null);
    keep('session', document.body.dataset.csrf);
  }
  let aside = kept('aside', {}), known = kept('known', {}), silent = kept('silent', 0);
  const told = new Set(kept('told', []));
  let hand = '', target = null, changedAt = performance.now(), before = null, loaded = false;

  const cards = () => [...host.querySelectorAll('[data-card]')];
  const facts = ({ dataset }) => ({ episode: Number(dataset.episode), severity: Number(dataset.severity),
    detectors: Number(dataset.detectors), floors: JSON.parse(dataset.floors) });
  const isNews = (is, was) => !was || is.episode > was.episode || is.severity > was.severity ||
    is.detectors > was.detectors || is.floors.some((floor) => !was.floors.includes(floor));
  // What a page of its own shows is not shown over it.
  const own = (card) => location.pathname === '/incidents/' + card.dataset.card;
  const writes = () => {
    const at = document.activeElement;
    return at && at.matches(FIELD) && !host.contains(at) && !at.closest('dialog') ? at : null;
  };

  // What arrived: anything new ends silence and brings back what was set aside.
  function news(all) {
    const fresh = all.filter((card) => isNews(facts(card), known[card.dataset.card]));
    if (fresh.length > 0) { silent = 0; aside = {}; }
    const arrived = fresh.filter((card) => !known[card.dataset.card]);
    if (arrived.length > 0) {
      const words = (card) => card.dataset.words + ', ' + card.dataset.where;
      if ($('announce')) $('announce').textContent = arrived.map(words).join('. ');
      if (document.hidden && 'Notification' in window && Notification.permission === 'granted') {
        for (const card of arrived) {
          const { card: tag, words, where } = card.dataset;
          const shown = new Notification('▲ ' + words, { body: where, tag, requireInteraction: true });
          shown.onclick = () => { window.focus(); shown.close(); };
        }
      }
    }
    known = Object.fromEntries(all.map((card) => [card.dataset.card, facts(card)]));
    for (const id of Object.keys(aside)) if (!known[id]) delete aside[id];
    for (const [name, value] of Object.entries({ aside, known, silent })) keep(name, value);
  }

  // Terminals say what they show, once an episode.
  function say(shown) {
    for (const { dataset: { card, episode } } of shown) {
      const key = card + '/' + episode;
      if (told.has(key)) continue;
      told.add(key);
      send('/incidents/' + card + '/act', 'action=shown').catch(() => told.delete(key));
    }
    keep('told', [...told].slice(-200));
  }

  function settled(event) {
    const all = cards(), screen = $('screen');
    loaded = loaded || Boolean(event && event.detail === host);
    if (loaded) news(all);
    const waiting = all.filter((card) => !aside[card.dataset.card] && !own(card));
    const ids = waiting.map((card) => card.dataset.card);
    if (!ids.includes(hand)) hand = ids[0] || '';
    const open = hand !== '';
    say(all.filter((card) => !aside[card.dataset.card]));
    const from = '/takeover' + (open ? '?hand=' + hand : '');
    if (host.dataset.from !== from) { host.dataset.from = from; if (open && screen.dataset.hand !== hand) refresh(host); }
    for (const card of all) card.hidden = !ids.includes(card.dataset.card);
    if (screen) {
      screen.hidden = !open;
      screen.querySelector('.hand').hidden = screen.dataset.hand !== hand;
      screen.querySelector('.typing').hidden = !writes();
    }
    document.body.classList.toggle('alarmed', open);
    sideBar(all);
    focus(open, screen);
    const head = document.querySelector('main .head'), page = head ? location.pathname + head.className : '';
    const dialog = document.querySelector('dialog[open] form');
    const next = dialog ? dialog.action : open ? hand : page;
    if (next !== target) { target = next; changedAt = performance.now(); }
  }

  // What is set aside: how many, and how old the oldest is.
  function sideBar(all) {
    const left = all.filter((card) => aside[card.dataset.card]);
    if (!$('aside')) return;
    $('aside').hidden = left.length === 0;
    if (left.length === 0) return;
    $('aside-count').textContent = left.length;
    $('aside-age').dataset.ago = Math.min(...left.map((card) => Number(card.dataset.since)));
    $('aside-age').textContent = long(now() - Number($('aside-age').dataset.ago)) + AGO;
  }

  // Who writes goes on writing; everybody else is on the screen, and on nothing behind it.
  function focus(open, screen) {
    const modal = open && !writes();
    for (const part of document.querySelectorAll('body > header, body > main, body > footer, body > .skip')) {
      part.inert = modal;
    }
    const inside = document.activeElement.closest('#takeover, #undo, #silent') &&
      !document.activeElement.closest('[hidden]');
    if (modal && !inside && !document.querySelector('dialog[open]')) {
      if (document.activeElement !== document.body && !host.contains(document.activeElement)) {
        before = document.activeElement;
      }
      screen.querySelector('#hand-title').focus({ preventScroll: true });
    } else if (!open && before) {
      if (document.activeElement === document.body && before.isConnected) before.focus({ preventScroll: true });
      before = null;
    }
  }

  const guarded = () => performance.now() - changedAt < GUARD_MS;
  const shown = () => $('screen') && !$('screen').hidden;
  const letters = () => localStorage.getItem('keys') !== 'off';

  function setAside() {
    for (const card of cards()) if (!own(card)) aside[card.dataset.card] = 1;
    keep('aside', aside);
    settled();
  }
  function pick(id) {
    hand = id;
    settled();
  }

  // The keys of the card under the hand, else of the incident whose page it is. None of them acts
  // before somebody can have seen what it would act on.
  document.addEventListener('keydown', (event) => {
    const at = event.target.closest ? event.target : document.body;
    const field = at.matches(FIELD) && !host.contains(at);
    if (field && shown() && ['Escape', 'Tab'].includes(event.key)) {
      event.preventDefault();
      at.blur();
      settled();
      return;
    }
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = event.key.length === 1 || event.key === 'Enter' || event.key === 'Escape';
    const bound = shown() || at.closest('dialog') || at.closest('.acts');
    if (acts && (event.repeat || guarded()) && bound) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (event.repeat || at.closest('dialog')) return;
    if (event.key === 'Escape' && shown()) { event.preventDefault(); setAside(); return; }
    const scope = shown() ? $('screen').querySelector('.hand:not([hidden])') : $('now');
    const key = event.key.toUpperCase();
    if (key.length !== 1 || !scope || !letters() || guarded()) return;
    const button = [...scope.querySelectorAll('button[data-key]')].find((it) => it.dataset.key === key);
    if (button) { event.preventDefault(); button.click(); }
  }, true);
  document.addEventListener('keyup', (event) => {
    if (event.key === ' ' && guarded() && event.target.closest && event.target.closest('button')) event.preventDefault();
  }, true);

  document.addEventListener('click', (event) => {
    const at = event.target;
    // A finger on its way is no faster than a key: what came under it meanwhile is not meant.
    if (at.closest('#screen button, #now .acts button') && guarded()) { event.preventDefault(); event.stopPropagation(); return; }
    const does = at.closest('[data-do]'), chosen = at.closest('[data-pick]');
    if (chosen) pick(chosen.dataset.pick);
    if (does && does.dataset.do === 'silence') { silent = now() + SILENCE_MS; keep('silent', silent); ring(); }
    if (does && does.dataset.do === 'aside') setAside();
    if (at.closest('#back')) { aside = {}; keep('aside', aside); settled(); }
    if (at.closest('#notify')) Notification.requestPermission().then(buttons);
    if (at.closest('#keys')) { localStorage.setItem('keys', letters() ? 'off' : 'on'); buttons(); }
  }, true);

  function buttons() {
    if ($('notify')) $('notify').hidden = !('Notification' in window) || Notification.permission !== 'default';
    if ($('keys')) $('keys').setAttribute('aria-pressed', letters());
    document.body.classList.toggle('nokeys', !letters());
  }

  // What is set aside still sounds; what is silenced does not, for its minute.
  window.standpipe.sound = () => {
    const all = cards();
    if (all.length === 0 || now() < silent) return '';
    return all.some((card) => Number(card.dataset.severity) > 0) ? 'fire' : 'critical';
  };
  document.addEventListener('standpipe-settled', settled);
  document.addEventListener('focusout', () => setTimeout(settled, 0));
  buttons();
  settled();
})();
