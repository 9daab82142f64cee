package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/authz"
)

func fullRecord() *Record {
	return &Record{
		ID: NewID(), Version: 1_700_000_000_123, ProviderSID: "sid", Refresh: "refresh", Needs: "digest",
		SignedInAt: time.UnixMilli(1_700_000_000_123), RefreshedAt: time.Unix(1_700_000_001, 0),
		FreshUntil: time.Unix(1_700_000_601, 0), ActiveAt: time.Unix(1_700_000_300, 0),
		Identity: &authz.Identity{
			Issuer: "https://api.descope.com/P2", Subject: "U2ada", Email: "ada@acme.example", EmailVerified: true, Name: "Ada \"<&>\" Ädä \u2028",
			CurrentTenant: "T2.acme", Tenants: map[string]authz.Grants{"T2.acme": {Roles: []string{"Tenant Admin"}, Permissions: []string{"User Admin"}}, "t2.ACME": {}},
			Project: authz.Grants{Roles: []string{"root"}, Permissions: []string{"p"}}, AMR: []string{"fed", "mfa"},
			Claims: map[string][]string{"a.b": {"1", "true"}, "A.b": {""}}, TenantsTruncated: true,
		},
	}
}

var byContent = cmp.Options{cmpopts.IgnoreUnexported(Record{}), cmpopts.EquateEmpty()}

func TestARecordComesBackFromItsCookie(t *testing.T) {
	sealer := sealerFor(t, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	for name, want := range map[string]*Record{
		"everything": fullRecord(),
		"little":     {ID: "x", Identity: &authz.Identity{Issuer: "i", Subject: "s"}, SignedInAt: time.UnixMilli(1)},
	} {
		value, err := store.Save(t.Context(), want, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.Open(t.Context(), value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, byContent); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhatIsNotASessionIsNobody(t *testing.T) {
	other := []byte("somebody else's secret, as long as ours")
	sealer := sealerFor(t, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	good, err := store.Save(t.Context(), fullRecord(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(s *Sealer, plain []byte) string {
		value, err := s.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	inner, _ := store.codec.encode(fullRecord())
	cases := map[string]string{
		"nothing":                          "",
		"noise":                            "\x00\xff;=,",
		"one byte":                         "A",
		"cut in the middle":                good[:len(good)/2],
		"without its end":                  good[:len(good)-1],
		"with more":                        good + "A",
		"twice":                            good + good,
		"padded":                           good + "=",
		"endless":                          strings.Repeat("A", 1<<20),
		"sealed with another secret":       seal(sealerFor(t, SessionPurpose, other), inner),
		"sealed, but no record":            seal(sealer, []byte("hello")),
		"sealed, and empty":                seal(sealer, nil),
		"sealed, and cut":                  seal(sealer, inner[:len(inner)-3]),
		"a record without a subject":       seal(sealer, deflate(t, `{"i":"x","g":1}`)),
		"a record without a sign-in":       seal(sealer, deflate(t, `{"i":"x","u":"s"}`)),
		"a record of a negative age":       seal(sealer, deflate(t, `{"i":"x","u":"s","g":-1}`)),
		"a record with types mixed up":     seal(sealer, deflate(t, `{"i":1,"u":["s"],"g":"1"}`)),
		"a record that unfolds into a lot": seal(sealer, deflate(t, `{"i":"`+strings.Repeat("x", 2*maxRecord)+`","u":"s","g":1}`)),
	}
	for _, purpose := range []Purpose{StatePurpose, TicketPurpose, RecordPurpose, StateFilePurpose, "gatehouse/assertion"} {
		cases["sealed as "+string(purpose)] = seal(sealerFor(t, purpose), inner)
	}
	for i := range 40 { // a bit changed anywhere
		b := []byte(good)
		b[i*len(b)/40] ^= 1
		cases[fmt.Sprint("a bit changed at ", i*len(b)/40)] = string(b)
	}
	table := NewTable(Options{Cookie: Cookie{Name: "gatehouse"}, Store: store, Settings: Settings{MaxAge: time.Hour}})
	for name, value := range cases {
		if value == good {
			continue
		}
		if rec, err := store.Open(t.Context(), value); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s: got %v, %v", name, rec, err)
		}
		found, err := table.Find(t.Context(), http.Header{"Cookie": {"gatehouse=" + value}})
		if err != nil || found.Session != nil || found.Conflict {
			t.Errorf("%s: found %+v, %v", name, found, err)
		}
	}
}

func deflate(t *testing.T, plain string) []byte {
	t.Helper()
	var c codec
	out, err := c.deflate([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPurposesAreNeverReadAsAnother(t *testing.T) {
	purposes := []Purpose{SessionPurpose, StatePurpose, TicketPurpose, RecordPurpose, StateFilePurpose}
	for _, from := range purposes {
		value, err := sealerFor(t, from).Seal([]byte("value"))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range purposes {
			if _, err := sealerFor(t, to).Open(value); (err == nil) != (from == to) {
				t.Errorf("sealed as %s, opened as %s: %v", from, to, err)
			}
		}
	}
}

func TestRotatedSecrets(t *testing.T) {
	older, newer := []byte("the secret of last year, long enough"), []byte("the secret of this year, long enough")
	w := newWorld(t, Settings{})
	w.sealer = sealerFor(t, SessionPurpose, older)
	v := w.signIn("ada")
	v.passes(t, "before the rotation")

	w.sealer = sealerFor(t, SessionPurpose, newer, older)
	w.Rekeyed()
	v.passes(t, "with the older secret still read")
	w.Touch(v.session, time.Now())
	if _, err := sealerFor(t, SessionPurpose, newer).Open(w.signIn("bob").cookie); err != nil {
		t.Error("the first secret does not write")
	}
	next := v.at(w.restart())
	next.passes(t, "at another instance")

	w.sealer = sealerFor(t, SessionPurpose, newer)
	w.Rekeyed()
	if _, err := v.request(); !errors.Is(err, ErrNoSession) {
		t.Errorf("with the older secret gone, though the cookie was seen before: %v", err)
	}
	if _, err := NewSealer(SessionPurpose, [][]byte{newer, []byte("short")}); err == nil {
		t.Error("a short secret was taken")
	}
	if _, err := NewSealer(SessionPurpose, nil); err == nil {
		t.Error("no secret at all was taken")
	}
	if _, err := NewRecordSealer([][]byte{[]byte("short")}); err == nil {
		t.Error("a short secret was taken for records")
	}
}

// A secret that leaked is dropped at once, and whoever made a cookie with it must
// not go on streaming.
func TestStreamsEndWithTheSecretThatLetThemIn(t *testing.T) {
	leaked, fresh := []byte("the secret that somebody else has now"), []byte("the secret that nobody else has, yet")
	in(t, "and go on under the one that stays", Settings{}, func(t *testing.T, w *world) {
		w.sealer = sealerFor(t, SessionPurpose, leaked)
		early := w.signIn("ada")
		early.open()
		w.sealer = sealerFor(t, SessionPurpose, fresh, leaked)
		w.Rekeyed()
		late := w.signIn("bob")
		late.open()
		wait(time.Minute)
		if got := w.seen.all(); got != "" {
			t.Errorf("told %q", got)
		}
		w.sealer = sealerFor(t, SessionPurpose, fresh)
		w.Rekeyed()
		if got := w.seen.all(); got != "ended ada: revoked" {
			t.Errorf("told %q", got)
		}
		late.passes(t, "under the new secret")
	})
}

func TestTheCookiesForms(t *testing.T) {
	c := Cookie{Name: "__Secure-gatehouse", Domain: "example.com", Secure: true}
	whole, split := strings.Repeat("w", chunkLen), strings.Repeat("s", 2*chunkLen)
	for _, tc := range []struct {
		name    string
		carried string
		value   string
		want    []string // name=length, or name expired
		err     error
	}{
		{"3,800 bytes are one cookie", "", whole, []string{"__Secure-gatehouse=3800"}, nil},
		{"one more is two", "", whole + "w", []string{"__Secure-gatehouse.0=3800", "__Secure-gatehouse.1=1"}, nil},
		{"7,600 are two", "", split, []string{"__Secure-gatehouse.0=3800", "__Secure-gatehouse.1=3800"}, nil},
		{"more is too large, and sets nothing", "", split + "s", nil, ErrTooLarge},
		{"a whole cookie expires the chunks that the request brought", "a=b; __Secure-gatehouse.0=x; __Secure-gatehouse.1=y", "v",
			[]string{"__Secure-gatehouse=1", "__Secure-gatehouse.0 expired", "__Secure-gatehouse.1 expired"}, nil},
		{"chunks expire the whole one", "__Secure-gatehouse=x", split, []string{"__Secure-gatehouse.0=3800", "__Secure-gatehouse.1=3800", "__Secure-gatehouse expired"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			response := http.Header{}
			err := c.Write(response, http.Header{"Cookie": {tc.carried}}, tc.value, time.Hour)
			var got []string
			for _, set := range (&http.Response{Header: response}).Cookies() {
				if set.MaxAge < 0 {
					got = append(got, set.Name+" expired")
				} else {
					got = append(got, fmt.Sprintf("%s=%d", set.Name, len(set.Value)))
				}
				if !set.HttpOnly || !set.Secure || set.SameSite != http.SameSiteLaxMode || set.Path != "/" || set.Domain != "example.com" {
					t.Errorf("attributes of %s: %+v", set.Name, set)
				}
				if n := len(set.String()); n > 4096 {
					t.Errorf("%s is %d bytes with its attributes", set.Name, n)
				}
			}
			if !errors.Is(err, tc.err) || !cmp.Equal(got, tc.want) {
				t.Errorf("got %v, %v; want %v", got, err, tc.want)
			}
		})
	}
	t.Run("an expired cookie goes in every form, with and without Domain", func(t *testing.T) {
		response := http.Header{}
		c.Expire(response)
		got := map[string]bool{}
		for _, set := range (&http.Response{Header: response}).Cookies() {
			if set.MaxAge >= 0 {
				t.Errorf("%s is not expired", set.Name)
			}
			got[set.Name+" "+set.Domain] = true
		}
		if len(got) != 6 {
			t.Errorf("got %v", got)
		}
	})
}

func TestCookiesOfARequest(t *testing.T) {
	big := func(w *world) *visitor {
		rec := recordOf("big")
		for i := range 60 {
			rec.Identity.Tenants[fmt.Sprintf("T2%sQ%d", strings.ToUpper(NewID()), i)] = authz.Grants{Roles: []string{NewID()}}
		}
		v := w.begin(rec, nil)
		if len(v.cookie) <= chunkLen {
			t.Fatalf("%d bytes are not split", len(v.cookie))
		}
		return v
	}
	w := newWorld(t, Settings{})
	small, split := w.signIn("ada"), big(w)
	zero, one := split.cookie[:chunkLen], split.cookie[chunkLen:]
	for _, tc := range []struct {
		name     string
		cookies  []string
		want     *Session
		conflict bool
	}{
		{"one among others", []string{"a=1; gatehouse=" + small.cookie + "; b=2"}, small.session, false},
		{"the same twice", []string{"gatehouse=" + small.cookie, "gatehouse=" + small.cookie}, small.session, false},
		{"two chunks, in any order", []string{"gatehouse.1=" + one + "; gatehouse.0=" + zero}, split.session, false},
		{"a stale second chunk beside a whole cookie", []string{"gatehouse=" + small.cookie + "; gatehouse.1=" + one}, small.session, false},
		{"half a session", []string{"gatehouse.0=" + zero}, nil, false},
		{"its other half", []string{"gatehouse.1=" + one}, nil, false},
		{"chunks of two cookies", []string{"gatehouse.0=" + zero + "; gatehouse.1=" + small.cookie}, nil, false},
		{"a garbage cookie planted beside the good one", []string{"gatehouse=AAAA; gatehouse=" + small.cookie}, small.session, false},
		{"a garbage chunk planted beside good ones", []string{"gatehouse.0=AAAA; gatehouse.0=" + zero + "; gatehouse.1=" + one}, split.session, false},
		{"two sessions", []string{"gatehouse=" + small.cookie + "; gatehouse.0=" + zero + "; gatehouse.1=" + one}, nil, true},
		{"another name that begins alike", []string{"gatehouses=" + small.cookie + "; gatehouse.2=" + small.cookie + "; xgatehouse=" + small.cookie}, nil, false},
		{"another case", []string{"Gatehouse=" + small.cookie}, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found, err := w.Find(t.Context(), http.Header{"Cookie": tc.cookies})
			if err != nil || found.Session != tc.want || found.Conflict != tc.conflict {
				t.Errorf("found %+v, %v", found, err)
			}
		})
	}
	t.Run("a hundred planted cookies cost eight openings", func(t *testing.T) {
		var lines []string
		for i := range 100 {
			lines = append(lines, fmt.Sprintf("gatehouse=A%d", i), fmt.Sprintf("gatehouse.0=B%d", i), fmt.Sprintf("gatehouse.1=C%d", i))
		}
		if n := len(w.Cookie.values(http.Header{"Cookie": lines}, nil)); n != maxCandidates {
			t.Errorf("%d candidates", n)
		}
	})
}

func TestHowMuchFits(t *testing.T) {
	sealer := sealerFor(t, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	rec := fullRecord()
	rec.Refresh = Token(strings.Repeat(NewID(), 40)) // 880 bytes that do not compress: a JWT's size
	many := func(n int) {
		rec.Identity.Tenants = map[string]authz.Grants{}
		for range n {
			rec.Identity.Tenants["T2"+NewID()] = authz.Grants{Roles: []string{"Member"}}
		}
	}
	whole, split := 0, 0
	for n := 0; ; n++ {
		many(n)
		value, err := store.Save(t.Context(), rec, time.Time{})
		if errors.Is(err, ErrTooLarge) {
			break
		}
		if len(value) <= chunkLen {
			whole = n
		}
		split = n
	}
	t.Logf("%d tenants fit into one cookie, %d into two", whole, split)
	if whole < 10 || split < 80 {
		t.Errorf("%d tenants fit into one cookie, %d into two", whole, split)
	}
	many(400)
	w := newWorld(t, Settings{Tighten: func(id *authz.Identity) (*authz.Identity, string) {
		least := *id
		least.Tenants, least.TenantsTruncated = nil, true
		return &least, "tight"
	}})
	rec.SignedInAt = time.Now()
	v := w.begin(rec, nil)
	if got, err := v.request(); err != nil || !got.Identity.TenantsTruncated || got.Needs != "tight" {
		t.Errorf("a person of 400 tenants: %+v, %v", got, err)
	}
	w.settings.Store(&Settings{MaxAge: time.Hour})
	if _, _, err := w.Begin(t.Context(), rec, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("where rules need them all: %v", err)
	}
}

func TestASessionSeenCostsNoCryptography(t *testing.T) {
	w := newWorld(t, Settings{IdleTimeout: time.Hour})
	v := w.signIn("ada")
	header, now, ctx := v.header(), time.Now(), t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		found, err := w.Find(ctx, header)
		if err != nil || found.Session == nil {
			t.Fatal(err)
		}
		if _, err := w.Current(ctx, found.Session, now); err != nil {
			t.Fatal(err)
		}
		w.Touch(found.Session, now)
		if value, _ := w.Renewal(found); value != "" {
			t.Fatal("a cookie was sent")
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkSessionSeen(b *testing.B) {
	sealer := sealerFor(b, SessionPurpose)
	table := NewTable(Options{Cookie: Cookie{Name: "gatehouse"}, Store: NewCookieStore(func() *Sealer { return sealer }), Settings: Settings{MaxAge: time.Hour}})
	_, value, err := table.Begin(b.Context(), recordOf("ada"), nil)
	if err != nil {
		b.Fatal(err)
	}
	header, now := http.Header{"Cookie": {"gatehouse=" + value}}, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		found, _ := table.Find(b.Context(), header)
		if _, err := table.Current(b.Context(), found.Session, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionOpened(b *testing.B) {
	sealer := sealerFor(b, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	value, err := store.Save(b.Context(), fullRecord(), time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Open(b.Context(), value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionSealed(b *testing.B) {
	sealer := sealerFor(b, SessionPurpose)
	store := NewCookieStore(func() *Sealer { return sealer })
	rec := fullRecord()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Save(b.Context(), rec, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
