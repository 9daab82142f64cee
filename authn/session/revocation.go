package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A mark names what a revocation refuses: one session, the sessions of a
// subject, or those that the provider knows by a session ID. It is a hash, so
// that what lies in Redis or in a file tells nobody who signed out.
type mark string

// markOf hashes each part with its length, so that no issuer and subject can be
// spelled as another pair (attack: ambiguous concatenation under a MAC).
func markOf(kind string, parts ...string) mark {
	var b []byte
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(append([]byte("gatehouse mark "+kind+" "), b...))
	return mark(kind + base64.RawURLEncoding.EncodeToString(sum[:16]))
}

func idMark(id string) mark            { return markOf("i", id) }
func subjectMark(iss, sub string) mark { return markOf("u", iss, sub) }
func sidMark(iss, sid string) mark     { return markOf("s", iss, sid) }

// marks are those that could refuse one session.
type marks struct{ id, subject, sid mark }

func marksOf(rec *Record) marks {
	m := marks{id: idMark(rec.ID), subject: subjectMark(rec.Identity.Issuer, rec.Identity.Subject)}
	if rec.ProviderSID != "" {
		m.sid = sidMark(rec.Identity.Issuer, rec.ProviderSID)
	}
	return m
}

// wide are those marks that others may share.
func (m marks) wide() []mark {
	if m.sid == "" {
		return []mark{m.subject}
	}
	return []mark{m.subject, m.sid}
}

// A revocation refuses sessions although their cookies are authentic.
type revocation struct {
	// At is when it was said, in Unix milliseconds. By a subject it refuses the
	// sessions begun before that. It is remembered for max_age from then on,
	// when every session that it could refuse has ended by itself.
	At    int64 `json:"t"`
	Cause Cause `json:"c"`
	// heir is the sealed ticket of the session that replaced this one, for the
	// streams of other instances; nil elsewhere.
	heir []byte
}

// revocations are those that this instance knows of. None is evicted for space.
type revocations map[mark]revocation

// add reports whether the revocation refuses more than what was known.
func (r revocations) add(m mark, rv revocation) bool {
	if old, ok := r[m]; ok && old.At >= rv.At {
		return false
	}
	r[m] = rv
	return true
}

// cause returns why the session is refused, or "".
func (r revocations) cause(m marks, signedIn time.Time) Cause {
	if rv, ok := r[m.id]; ok {
		return rv.Cause
	}
	if rv, ok := r[m.subject]; ok && signedIn.UnixMilli() < rv.At {
		return rv.Cause
	}
	if m.sid != "" {
		if rv, ok := r[m.sid]; ok {
			return rv.Cause
		}
	}
	return ""
}

func (r revocations) sweep(before time.Time) {
	for m, rv := range r {
		if rv.At < before.UnixMilli() {
			delete(r, m)
		}
	}
}

// RevokeSubject refuses every session of the issuer's subject begun before the
// given time, seen or not (OpenID Connect Back-Channel Logout 1.0, by `sub`).
func (t *Table) RevokeSubject(issuer, sub string, before time.Time) {
	t.revoke(subjectMark(issuer, sub), revocation{At: before.UnixMilli(), Cause: Revoked})
}

// RevokeSID refuses every session that the provider knows by the session ID
// sid (Back-Channel Logout 1.0, by `sid`).
func (t *Table) RevokeSID(issuer, sid string) {
	t.revoke(sidMark(issuer, sid), revocation{At: time.Now().UnixMilli(), Cause: Revoked})
}

// revoke takes up a revocation of this instance, and tells the others.
func (t *Table) revoke(m mark, rv revocation) {
	t.heed(map[mark]revocation{m: rv})
	t.tell(map[mark]revocation{m: rv})
}

// heed takes up revocations, and ends the live sessions that they refuse.
func (t *Table) heed(news map[mark]revocation) {
	hit := make(map[*Session]revocation)
	t.mu.Lock()
	for m, rv := range news {
		if !t.revoked.add(m, rv) {
			continue
		}
		t.changed.Store(true)
		if s := t.live[m]; s != nil {
			hit[s] = rv
		}
		for _, s := range t.kin[m] {
			if _, known := hit[s]; known {
				continue
			}
			if cause := t.revoked.cause(s.marks, s.Record().SignedInAt); cause != "" {
				hit[s] = revocation{Cause: cause}
			}
		}
	}
	t.mu.Unlock()
	for s, rv := range hit {
		if rv.heir != nil && t.inherit(s, rv.heir) {
			continue
		}
		t.end(s, rv.Cause)
	}
}

// tell shares revocations with the other instances. Without a shared store there
// is nobody to tell; while it is away they wait for its return.
func (t *Table) tell(news map[mark]revocation) {
	if t.shared == nil {
		return
	}
	if err := t.shared.revoke(context.Background(), news, t.oldest()); err != nil {
		t.log.Warn("a revocation is kept until the session store takes it", "error", err)
		t.mu.Lock()
		for m, rv := range news {
			t.untold.add(m, rv)
		}
		t.mu.Unlock()
	}
}

// oldest is before when a revocation must have been said to refuse nothing any
// more.
func (t *Table) oldest() time.Time {
	return time.Now().Add(-time.Duration(t.longest.Load()))
}
