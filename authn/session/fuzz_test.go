package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whatever a Cookie header holds, it is one of the sessions that were made, or
// nobody; it never panics, and costs a bounded number of openings.
func FuzzCookieHeader(f *testing.F) {
	sealer := sealerFor(f, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	table := NewTable(Options{Cookie: Cookie{Name: "gatehouse"}, Store: store, Settings: Settings{MaxAge: time.Hour}})
	s, value, err := table.Begin(f.Context(), recordOf("ada"), nil)
	if err != nil {
		f.Fatal(err)
	}
	// Each process of the fuzzer seals a value of its own, so seeds only name it.
	for _, seed := range []string{
		"", ";", "=", "gatehouse", "gatehouse=", "gatehouse=;gatehouse=", "gatehouse=VALUE", "gatehouse.0=HEAD; gatehouse.1=TAIL",
		"gatehouse=VALUE; gatehouse=HEAD", " \t gatehouse=\"VALUE\"", "gatehouse.0=;gatehouse.1=", "gatehouse==VALUE",
		strings.Repeat("gatehouse=x;", 50), strings.Repeat("gatehouse.0=x;gatehouse.1=y;", 50), "gatehouse=\x00\xff", "a=b; gatehouse\t=VALUE",
		"gatehouse=" + strings.Repeat("A", 2*chunkLen+1),
	} {
		f.Add(seed, "")
		f.Add("gatehouse=x", seed)
	}
	named := strings.NewReplacer("VALUE", value, "HEAD", value[:20], "TAIL", value[20:])
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = named.Replace(a), named.Replace(b)
		h := http.Header{"Cookie": {a, b}}
		if n := len(table.Cookie.values(h, nil)); n > maxCandidates {
			t.Fatalf("%d candidates", n)
		}
		found, err := table.Find(t.Context(), h)
		if err != nil || found.Conflict || found.Session != nil && found.Session != s {
			t.Fatalf("found %+v, %v", found, err)
		}
		if found.Session != nil && !strings.Contains(a+b, value[:10]) {
			t.Fatal("somebody, out of nothing")
		}
		response := http.Header{}
		if err := table.Cookie.Write(response, h, value, time.Hour); err != nil || len(response["Set-Cookie"]) > 3 {
			t.Fatalf("%v, %q", err, response)
		}
	})
}

// Whatever a value is, no sealer opens what it did not seal.
func FuzzSealedValue(f *testing.F) {
	ours, other := sealerFor(f, SessionPurpose), sealerFor(f, TicketPurpose)
	mine, err1 := ours.Seal([]byte("plain"))
	theirs, err2 := other.Seal([]byte("plain"))
	if err1 != nil || err2 != nil {
		f.Fatal(err1, err2)
	}
	for _, seed := range []string{"", "MINE", "THEIRS", "MINEMINE", "MINE=", "AMINE", "MTcwMDAwMDAwMHx8", "THEIRSMINE"} {
		f.Add(seed, 0, "")
		f.Add(seed, 20, "A")
	}
	named := strings.NewReplacer("MINE", mine, "THEIRS", theirs)
	f.Fuzz(func(t *testing.T, value string, at int, put string) {
		value = named.Replace(value)
		if at > 0 && at+len(put) <= len(value) {
			value = value[:at] + put + value[at+len(put):]
		}
		plain, err := ours.Open(value)
		// The last character of base64 has bits that say nothing, and \r and \n
		// are skipped in it: the same bytes under another spelling.
		if err == nil && string(plain) != "plain" {
			t.Fatalf("opened %q as %q", value, plain)
		}
	})
}

// Whatever is inside a sealed value, it is a record that says who it is and comes
// back the same, or none. It is not reachable from outside, but a state file and
// an older version's cookies are not our own bytes either.
func FuzzRecord(f *testing.F) {
	var c codec
	good, err := c.encode(fullRecord())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, false)
	f.Add(good[:len(good)-1], false)
	for _, plain := range []string{
		`{"i":"x","u":"s","g":1}`, `{"i":"x","u":"s","g":1,"t":{"":[null,null]}}`, `{"i":"x","u":"s","g":9223372036854775807,"h":-9223372036854775808}`,
		`{"i":"x","u":"s","g":1,"t":null,"c":{"a":[]}}`, `{"I":"x","U":"s","G":1}`, `[]`, `null`, `{"i":"x","u":"s","g":1}{}`, "{\"i\":\"\xff\",\"u\":\"s\",\"g\":1}",
	} {
		f.Add([]byte(plain), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, plain bool) {
		if plain {
			var err error
			if b, err = c.deflate(b); err != nil {
				t.Fatal(err)
			}
		}
		rec, err := c.decode(b)
		if err != nil {
			return
		}
		if rec.ID == "" || rec.Identity.Subject == "" || rec.SignedInAt.IsZero() {
			t.Fatalf("incomplete: %+v", rec)
		}
		again, err := c.encode(rec)
		if err != nil {
			t.Fatal(err)
		}
		back, err := c.decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, back, byContent); diff != "" {
			t.Fatal(diff)
		}
	})
}
