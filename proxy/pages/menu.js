/* The account menu: who is signed in, where else they may go, and Sign out, in
   the pages of apps that know nothing of it. It lives in a shadow root, so the
   app's styles do not reach it nor its own the app's, and it writes text only. */
(function () {
  "use strict";
  var ID = "gatehouse-account";
  var MARK = Symbol.for(ID);
  var doc = document;
  var own = doc.currentScript;
  if (window[MARK] || !own || !own.src || !window.fetch || !Element.prototype.attachShadow) return;
  window[MARK] = true;

  var AUTH = own.src.replace(/[?#].*$/, "").replace(/[^/]*$/, "");
  var SIDE = "gatehouse-account-side";
  var LONGEST = 2147483647; // what setTimeout can hold, in ms
  var THROTTLE = 2000;

  // A page framed by another page of this site leaves the menu to the outer one.
  try {
    if (window.top !== window && window.top.document.querySelector("#" + ID + ",script[src$='/menu.js']")) return;
  } catch (e) { /* the frame around is another site's */ }

  var me = null; // the last answer of /me; null until a session was seen
  var ended = false;
  var leaving = false;
  var host, root, button, panel, bar, frame;

  function el(name, attrs, kids) {
    var n = doc.createElement(name);
    Object.keys(attrs || {}).forEach(function (k) { n.setAttribute(k, attrs[k]); });
    [].concat(kids || []).forEach(function (k) { n.append(k); });
    return n;
  }
  function list(v) { return Array.isArray(v) ? v.filter(function (x) { return typeof x === "string" && x; }) : []; }
  function text(v) { return typeof v === "string" ? v.trim() : ""; }

  /* ---- what the session is ---- */

  var looking = false, lookedAt = 0, ends = NaN, late = 0, soon, alarm;

  // look asks /me once. Only a 401 says that the session ended; no network, a
  // restart or a 503 say nothing.
  function look() {
    if (looking) return;
    looking = true;
    lookedAt = Date.now();
    fetch(AUTH + "me", { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } })
      .then(function (r) {
        if (r.status === 401) return over();
        if (!r.ok) return unsure();
        return r.json().then(function (data) {
          // The server's clock on both sides: this one may be wrong.
          alive(data, Date.parse(data.expires_at) - (Date.parse(r.headers.get("Date")) || Date.now()));
        });
      })
      .catch(unsure)
      .then(function () { looking = false; });
  }

  function alive(data, left) {
    if (!me || me.expires_at !== data.expires_at) late = 0;
    me = data;
    ended = false;
    ends = Date.now() + left;
    draw();
    // A look shortly before the end learns of a session that went on meanwhile;
    // one just after it learns that this one did not.
    if (left > 15000) arm(left - 10000);
    else if (left > -1000) arm(left + 1500);
    else unsure();
  }

  // unsure covers the minutes in which a session outlives its end because the
  // sign-in service is away. It gives up: this is no poll.
  function unsure() { if (me && !ended && ends - Date.now() < 15000 && late++ < 8) arm(45000); }

  function over() {
    clearTimeout(alarm);
    if (!me) return;
    ended = true;
    draw();
  }

  function arm(ms) {
    var at = Date.now() + ms;
    clearTimeout(alarm);
    (function wait() {
      var left = at - Date.now();
      alarm = setTimeout(left > LONGEST ? wait : function () {
        if (doc.visibilityState === "hidden") return; // coming back looks anyway
        look();
      }, Math.max(0, Math.min(left, LONGEST)));
    })();
  }

  // inFront gathers the events that come together when a tab is shown.
  function inFront() {
    if (doc.visibilityState === "hidden") return;
    attach();
    clearTimeout(soon);
    soon = setTimeout(look, Math.max(50, lookedAt + THROTTLE - Date.now()));
  }

  // doubt looks because of what happened on this page, a pause after the last look.
  // So somebody whose session ended under their hands is told at the first click.
  var doubting = 0, calm = 0;
  function doubt(pause) {
    if (!doubting && me && !ended) doubting = setTimeout(function () { doubting = 0; look(); }, Math.max(50, lookedAt + pause - Date.now()));
  }
  // An app may answer 401 for reasons of its own, again and again: that makes no poll.
  function refused() {
    if (Date.now() < calm) return;
    calm = Date.now() + 60000;
    clearTimeout(doubting);
    doubting = 0;
    doubt(THROTTLE);
  }

  /* ---- what is drawn ---- */

  var CSS = "menu.css"; // its text, when served

  function style(to) {
    try {
      var sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      to.adoptedStyleSheets = [sheet];
    } catch (e) {
      to.append(el("style", {}, CSS)); // browsers before 2023
    }
  }

  function icon() {
    var ns = "http://www.w3.org/2000/svg";
    var svg = doc.createElementNS(ns, "svg"), path = doc.createElementNS(ns, "path");
    svg.setAttribute("viewBox", "0 0 32 32");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", "M2 4h6v4h4V4h8v4h4V4h6v24h-8v-9a6 6 0 0 0-12 0v9H2z");
    svg.append(path);
    return svg;
  }

  function build() {
    host = el("div", { id: ID, lang: "en", dir: "ltr" });
    root = host.attachShadow({ mode: "open" });
    style(root);
    button = el("button", { type: "button", "class": "opener", "aria-expanded": "false", "aria-controls": "panel" }, [icon(), "Account"]);
    panel = el("div", { id: "panel", "class": "panel", role: "dialog", "aria-label": "Account", tabindex: "-1", hidden: "" });
    bar = el("div", { id: "bar", role: "alert" });
    frame = el("div", { "class": "frame" }, [button, panel, bar]);
    root.append(frame);
    stand(stored());

    button.addEventListener("click", function () {
      if (ended) return note(!bar.firstChild, true);
      open(panel.hidden);
    });
    root.addEventListener("keydown", function (e) {
      e.stopPropagation(); // the app's own shortcuts are not meant
      if (e.key !== "Escape") return;
      if (!panel.hidden) { open(false); button.focus(); }
      else if (bar.firstChild) { note(false); button.focus(); }
    });
    frame.addEventListener("focusout", function (e) {
      if (e.relatedTarget && !root.contains(e.relatedTarget)) open(false);
    });
    doc.addEventListener("pointerdown", function (e) {
      if (e.target !== host) open(false);
    }, true);
    new MutationObserver(free).observe(host, { attributes: true, attributeFilter: ["inert", "aria-hidden"] });
    new MutationObserver(attach).observe(doc.documentElement, { childList: true });
    if (doc.body) new MutationObserver(attach).observe(doc.body, { childList: true });
  }

  // attach puts the menu back where an app replaced its whole body. An app that
  // keeps throwing it out wins.
  var tries = 0;
  function attach() {
    if (!host || host.isConnected || tries > 20) return;
    tries++;
    (doc.body || doc.documentElement).append(host);
  }

  // free lets the notice be used beside a dialog of the app's, which makes all that
  // is not in it inert: Streamlit opens one when its connection is cut.
  function free() {
    if (!ended) return;
    host.removeAttribute("inert");
    host.removeAttribute("aria-hidden");
  }

  function draw() {
    if (!host) build();
    attach();
    button.setAttribute("aria-controls", ended ? "bar" : "panel");
    if (ended) {
      free();
      open(false);
      if (!bar.firstChild) note(true);
      return;
    }
    note(false);
    if (!panel.hidden) fill();
  }

  function open(yes) {
    if (yes === !panel.hidden) return;
    if (yes) fill();
    panel.hidden = !yes;
    if (!yes) panel.replaceChildren();
    button.setAttribute("aria-expanded", String(yes));
    if (yes) panel.focus();
  }

  // What the panel holds is only there while it is open.
  function fill() {
    var focused = root.activeElement && panel.contains(root.activeElement);
    var name = text(me.name) || text(me.email), email = text(me.email);
    var parts = [el("div", { "class": "part" }, [el("bdi", { "class": "name" }, name || "Signed in"), email && email !== name ? el("bdi", { "class": "soft" }, email) : ""])];
    var roles = standing();
    if (roles.length) parts.push(el("div", { "class": "part" }, [el("h2", {}, "Your roles"), el("ul", {}, roles)]));
    var ways = links();
    if (ways.length) parts.push(el("nav", { "class": "part ways", "aria-label": "Other apps" }, [el("h2", {}, "Other apps"), el("ul", {}, ways)]));
    var side = el("button", { type: "button", "class": "move" }, frame.classList.contains("left") ? "Move to the right" : "Move to the left");
    side.addEventListener("click", function () { stand(frame.classList.contains("left") ? "right" : "left", true); fill(); panel.focus(); });
    var out = el("form", { method: "post", action: AUTH + "logout" }, el("button", { type: "submit", "class": "key" }, "Sign out"));
    out.addEventListener("submit", function () { leaving = true; });
    parts.push(el("div", { "class": "part" }, [out, side]));
    panel.replaceChildren.apply(panel, parts);
    if (focused) panel.focus();
  }

  // standing lists roles tenant by tenant; without tenants, those of the project.
  function standing() {
    var tenants = me.tenants && typeof me.tenants === "object" ? me.tenants : {};
    var rows = Object.keys(tenants).map(function (id) { return [id, list(tenants[id] && tenants[id].roles)]; });
    if (list(me.roles).length) rows.unshift(["", list(me.roles)]);
    var more = rows.length - 6;
    var items = rows.slice(0, 6).map(function (row) {
      return el("li", {}, [row[0] ? el("bdi", { "class": "soft" }, row[0]) : "", el("bdi", {}, row[1].join(", ") || "No roles")]);
    });
    if (more > 0 || me.tenants_truncated) items.push(el("li", { "class": "soft" }, more > 0 && !me.tenants_truncated ? "and " + more + " more" : "and more"));
    return items;
  }

  // links leaves out the app that this page belongs to: of those that it lies in, the
  // one with the longest address.
  function links() {
    var here = location.origin + location.pathname, own = "";
    var apps = (Array.isArray(me.routes) ? me.routes : []).map(function (r) {
      var to;
      try { to = new URL(r.url, location.href); } catch (e) { return null; }
      if (!/^https?:$/.test(to.protocol)) return null;
      var base = to.origin + to.pathname;
      if ((base === here || here.indexOf(base.replace(/\/?$/, "/")) === 0) && base.length > own.length) own = base;
      return { base: base, to: to.href, label: text(r.title) || text(r.name) || base };
    }).filter(Boolean);
    return apps.filter(function (app) { return app.base !== own; }).map(function (app) {
      return el("li", {}, el("a", { href: app.to }, el("bdi", {}, app.label)));
    });
  }

  // note shows the end of the session. It takes no focus by itself: somebody may
  // be typing what is not saved yet.
  function note(yes, focus) {
    bar.replaceChildren();
    button.setAttribute("aria-expanded", String(ended && yes));
    if (!yes) return;
    var again = el("a", { href: comeBack(), "class": "key" }, "Sign in again");
    ["pointerdown", "focus", "click"].forEach(function (type) {
      again.addEventListener(type, function () { again.href = comeBack(); });
    });
    var later = el("button", { type: "button", "class": "key" }, "Not now");
    later.addEventListener("click", function () { note(false); button.focus(); });
    bar.append(el("div", { "class": "notice" }, [
      el("div", { "class": "name" }, "Your session has ended"),
      el("div", { "class": "soft" }, "Copy what you want to keep, then sign in. You come back to this page."),
      el("div", { "class": "choice" }, [again, later]),
    ]));
    if (focus) again.focus();
  }

  // The page as it is now: apps change their address without loading anew.
  function comeBack() {
    return AUTH + "?return_to=" + encodeURIComponent(location.origin + location.pathname + location.search);
  }

  function stored() {
    try { return localStorage.getItem(SIDE) === "left" ? "left" : "right"; } catch (e) { return "right"; }
  }
  function stand(side, keep) {
    frame.classList.toggle("left", side === "left");
    if (keep) try { localStorage.setItem(SIDE, side); } catch (e) { /* this page only */ }
  }

  // An app whose policy holds forms to itself stops the sign-out at the provider,
  // or before it began. A link is not held.
  doc.addEventListener("securitypolicyviolation", function (e) {
    if (leaving && e.effectiveDirective === "form-action") location.assign(AUTH + "logout");
  });
  doc.addEventListener("visibilitychange", inFront);
  window.addEventListener("focus", inFront);
  window.addEventListener("online", inFront);
  // The app was refused something. A WebSocket's refusal is told to nobody but the
  // app, so a click looks too.
  doc.addEventListener("click", function () { doubt(10000); }, true);
  try {
    new PerformanceObserver(function (seen) {
      if (seen.getEntries().some(function (e) { return e.responseStatus === 401 && e.name.indexOf(AUTH) !== 0; })) refused();
    }).observe({ type: "resource" });
  } catch (e) { /* browsers before 2021 */ }
  window.addEventListener("pageshow", function (e) { if (e.persisted) inFront(); });
  look();
})();
