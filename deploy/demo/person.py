"""Who a request speaks for, read from the identity headers of the proxy in front.

The proxy removes whatever a client sends under these names, so an app that can
be reached only through the proxy may believe them. An app that can be reached
in another way must not: anybody could send them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote

import gradio as gr

SIGN_OUT_URL = os.environ.get("SIGN_OUT_URL", "/auth/logout")

CARD_CSS = """
#person .html-container { padding: 0; }
.person { display: flex; align-items: center; gap: 1rem; flex-wrap: wrap;
  padding: .9rem 1.1rem; border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg); background: var(--block-background-fill);
  color: var(--body-text-color); }
.person .avatar { width: 2.75rem; height: 2.75rem; border-radius: 50%; flex: none;
  display: grid; place-items: center; font-weight: 600;
  color: #fff; background: var(--primary-600); }
.person .who { flex: 1 1 14rem; min-width: 0; }
.person .name { font-weight: 600; }
.person .email { color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.person .facts { display: flex; gap: .4rem; flex-wrap: wrap; align-items: center; }
.person .fact { padding: .15rem .6rem; border-radius: 999px; font-size: .85em;
  border: 1px solid var(--border-color-primary); background: var(--background-fill-secondary); }
.person a.sign-out { padding: .45rem .95rem; border-radius: var(--radius-md); font-weight: 500;
  text-decoration: none; color: var(--button-secondary-text-color);
  background: var(--button-secondary-background-fill);
  border: 1px solid var(--border-color-primary); }
.person a.sign-out:hover { background: var(--button-secondary-background-fill-hover); }
"""


@dataclass(frozen=True)
class Person:
    """One signed-in person. Empty strings where the proxy sent no such header."""

    subject: str
    name: str
    email: str
    roles: tuple[str, ...]
    tenant: str

    @classmethod
    def of(cls, request: gr.Request) -> Person:
        """Reads the person of an event. Header values are percent-encoded UTF-8."""
        headers = request.headers

        def text(name: str) -> str:
            return unquote(headers.get(name, ""))

        # Commas part the roles and a comma within a role is encoded, so split before decoding.
        groups = headers.get("x-forwarded-groups", "")
        return cls(
            subject=text("x-forwarded-user"),
            name=text("x-forwarded-preferred-username"),
            email=text("x-forwarded-email"),
            roles=tuple(unquote(role.strip()) for role in groups.split(",") if role.strip()),
            tenant=text("x-forwarded-tenant"),
        )

    @property
    def called(self) -> str:
        """What to call the person: the best name that the headers gave."""
        return self.name or self.email or self.subject or "stranger"


def card(request: gr.Request) -> str:
    """The strip on top of a page: who is signed in, with what, and the way out."""
    person = Person.of(request)
    initials = "".join(word[0] for word in person.called.split()[:2]).upper()
    roles = ", ".join(person.roles) or "no roles"
    tenant = person.tenant or "no tenant"
    return f"""
    <div class="person">
      <div class="avatar" aria-hidden="true">{escape(initials)}</div>
      <div class="who">
        <div class="name" id="person-name">{escape(person.called)}</div>
        <div class="email" id="person-email">{escape(person.email or "no address")}</div>
      </div>
      <div class="facts">
        <span class="fact" id="person-roles">{escape(roles)}</span>
        <span class="fact" id="person-tenant">{escape(tenant)}</span>
      </div>
      <a class="sign-out" href="{escape(SIGN_OUT_URL)}">Logout</a>
    </div>"""
