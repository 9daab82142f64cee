package pages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

const hostile = `"'></title></style><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`

var (
	ada      = Person{Name: "Ada Lovelace", Email: "ada@acme.example"}
	longest  = Person{Name: strings.Repeat("Wolfeschlegelsteinhausen", 12), Email: strings.Repeat("long", 60) + "@acme.example"}
	rightToL = Person{Name: "محمد \u202eبن عبد الله", Email: "m@acme.example"}
	injected = Person{Name: hostile, Email: hostile}
)

func newPages(t testing.TB, o Options) *Pages {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func manyRoutes(n int) []RouteLink {
	var out []RouteLink
	for i := range n {
		out = append(out, RouteLink{Name: fmt.Sprint("app", i), Title: hostile, Description: hostile, URL: fmt.Sprintf("/app/%d/?a=b&c=\"", i), Tenant: hostile})
	}
	return out
}

// everyPage is each page with ordinary, awkward and empty data.
func everyPage(p *Pages) map[string]func(io.Writer) error {
	hostileTenants := []TenantChoice{{Name: hostile, Current: true}, {Name: hostile, SwitchURL: "/auth/login?tenant=T2"}, {}}
	all := map[string]func(io.Writer) error{
		"sign-in":                 func(w io.Writer) error { return p.SignIn(w, SignIn{LoginURL: "/auth/login?return_to=%2F"}) },
		"sign-in, nothing given":  func(w io.Writer) error { return p.SignIn(w, SignIn{}) },
		"sign-in, signed out":     func(w io.Writer) error { return p.SignIn(w, SignIn{LoginURL: "/auth/login", SignedOut: true}) },
		"sign-in, expired":        func(w io.Writer) error { return p.SignIn(w, SignIn{LoginURL: "/auth/login", Expired: true}) },
		"sign-in, hostile host":   func(w io.Writer) error { return p.SignIn(w, SignIn{LoginURL: hostile, Host: hostile}) },
		"sign-in, other session":  func(w io.Writer) error { return p.SignIn(w, SignIn{SignedInAs: &injected, ContinueURL: hostile}) },
		"portal, one":             func(w io.Writer) error { return p.Portal(w, Portal{Person: ada, Routes: manyRoutes(1)}) },
		"portal, fifty":           func(w io.Writer) error { return p.Portal(w, Portal{longest, manyRoutes(50), hostile, hostileTenants}) },
		"portal, none":            func(w io.Writer) error { return p.Portal(w, Portal{Person: rightToL, Tenants: hostileTenants}) },
		"portal, nothing given":   func(w io.Writer) error { return p.Portal(w, Portal{}) },
		"denied, nothing given":   func(w io.Writer) error { return p.Denied(w, Denied{}) },
		"sign-out":                func(w io.Writer) error { return p.ConfirmLogout(w, ConfirmLogout{injected, "/auth/logout"}) },
		"sign-out, nothing given": func(w io.Writer) error { return p.ConfirmLogout(w, ConfirmLogout{}) },
		"problem with its own text": func(w io.Writer) error {
			return p.Problem(w, Problem{418, hostile, hostile, hostile, hostile, true, hostile})
		},
		"denied, all of it": func(w io.Writer) error {
			return p.Denied(w, Denied{injected, hostile, []string{hostile, "b"}, []string{hostile}, manyRoutes(50), "/auth/login", "/auth/logout", hostile})
		},
	}
	for _, reason := range append(reasons(), "", hostile) {
		all["auth error "+reason] = func(w io.Writer) error { return p.AuthError(w, AuthError{reason, hostile, "/auth/login"}) }
	}
	for _, status := range append(statuses(), 0, 299, 500) {
		all[fmt.Sprint("problem ", status)] = func(w io.Writer) error { return p.Problem(w, Problem{Status: status, ActionURL: "/", RequestID: "r1"}) }
	}
	return all
}

func reasons() []string {
	return []string{ReasonDenied, ReasonState, ReasonProvider, ReasonProviderUnavailable, ReasonSessionTooLarge, ReasonNoSessionStore}
}

func statuses() []int {
	return []int{400, 401, 403, 404, 405, 413, 421, 431, 502, 503, 504}
}

func TestEveryPageIsWholeAccessibleAndLoadsNothing(t *testing.T) {
	for title, o := range map[string]Options{
		"plain":   {},
		"branded": {Title: hostile, Support: "help@acme.example", Logo: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), AuthPath: "/sso"},
	} {
		p := newPages(t, o)
		for name, write := range everyPage(p) {
			t.Run(title+"/"+name, func(t *testing.T) {
				var b bytes.Buffer
				if err := write(&b); err != nil {
					t.Fatal(err)
				}
				for _, fault := range faults(b.Bytes(), p.CSP()) {
					t.Error(fault)
				}
			})
		}
	}
}

func TestAPersonIsNamedAsTheyWouldNameThemselves(t *testing.T) {
	for _, test := range []struct {
		name string
		in   Person
		want [3]string
	}{
		{"name and address", ada, [3]string{"Ada Lovelace", "ada@acme.example", "A"}},
		{"address alone", Person{Email: "bob@acme.example"}, [3]string{"bob@acme.example", "", "B"}},
		{"name alone", Person{Name: " é "}, [3]string{"é", "", "É"}},
		{"nothing", Person{Name: "  "}, [3]string{"", "", "·"}},
		{"no letter", Person{Name: "«»"}, [3]string{"«»", "", "·"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := [3]string{test.in.Label(), test.in.Second(), test.in.Initial()}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachReasonAndStatusHasWordsOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	check := func(what string, w words) {
		for _, s := range append([]string{w.title}, strings.Join(w.text, " ")) {
			if s == "" {
				t.Errorf("%s says nothing", what)
			}
			if other := seen[s]; other != "" {
				t.Errorf("%s says what %s says: %q", what, other, s)
			}
			seen[s] = what
		}
		if w.action == "" || len(w.text) < 2 {
			t.Errorf("%s does not say what to do next", what)
		}
	}
	for _, status := range statuses() {
		check(fmt.Sprint(status), problemWords(status))
	}
	for _, reason := range reasons() {
		check(reason, authErrorWords(reason))
		switch AuthErrorStatus(reason) {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusBadGateway, http.StatusServiceUnavailable:
		default:
			t.Errorf("%s has status %d", reason, AuthErrorStatus(reason))
		}
	}
	if diff := cmp.Diff(authErrorWords("other"), authErrorWords(""), cmp.AllowUnexported(words{})); diff != "" {
		t.Error("unknown reasons differ:", diff)
	}
}

func TestPagesSayWhatTheContractAsksFor(t *testing.T) {
	p := newPages(t, Options{Support: "help@acme.example"})
	for _, test := range []struct {
		name  string
		write func(io.Writer) error
		want  []string
	}{
		{"the sign-in page has a Login button", func(w io.Writer) error { return p.SignIn(w, SignIn{LoginURL: "/auth/login?return_to=%2Fx"}) },
			[]string{`href="/auth/login?return_to=%2Fx">Login</a>`}},
		{"a lost sign-in offers to sign in again", func(w io.Writer) error {
			return p.AuthError(w, AuthError{Reason: ReasonState, RetryURL: "/auth/login"})
		},
			[]string{`href="/auth/login">Sign in again</a>`}},
		{"a session too large names redis and the operator", func(w io.Writer) error { return p.AuthError(w, AuthError{Reason: ReasonSessionTooLarge}) },
			[]string{"session.store: redis", "operator"}},
		{"a denial names the person, what is missing and the ways on", func(w io.Writer) error {
			return p.Denied(w, Denied{Person: ada, What: "Admin", MissingRoles: []string{"Tenant Admin"}, MissingPermissions: []string{"release"},
				Routes: []RouteLink{{Title: "Playground", URL: "/gradio/user/"}}, LogoutURL: "/auth/logout", RequestID: "r42"})
		}, []string{"Ada Lovelace", "ada@acme.example", "Tenant Admin", "release", `href="/gradio/user/"`, "Playground", `action="/auth/logout"`, "<code>r42</code>", "mailto:help@acme.example?subject=Request%20r42"}},
		{"the portal signs out by POST", func(w io.Writer) error { return p.Portal(w, Portal{Person: ada, LogoutURL: "/auth/logout"}) },
			[]string{`<form method="post" action="/auth/logout">`}},
		{"a script URL leads nowhere", func(w io.Writer) error { return p.SignIn(w, SignIn{LoginURL: "javascript:alert(1)"}) },
			[]string{`href="#ZgotmplZ"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := test.write(&b); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("page lacks %q", want)
				}
			}
		})
	}
}

func TestTheSearchBoxComesWithLongLists(t *testing.T) {
	p := newPages(t, Options{})
	for n, want := range map[int]bool{1: false, 8: false, 9: true, 50: true} {
		var b strings.Builder
		if err := p.Portal(&b, Portal{Person: ada, Routes: manyRoutes(n)}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), `role="search"`); got != want {
			t.Errorf("%d apps: search box %v, want %v", n, got, want)
		}
	}
}

func TestAProblemLeadsToThePortalWhereItsWordsDo(t *testing.T) {
	p := newPages(t, Options{AuthPath: "/sso"})
	for status, want := range map[int]bool{400: true, 403: true, 404: true, 405: true, 502: false, 503: false} {
		var b strings.Builder
		if err := p.Problem(&b, Problem{Status: status}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), `href="/sso/">Go to your apps</a>`); got != want {
			t.Errorf("%d: leads to the portal %v, want %v", status, got, want)
		}
	}
}

func TestAProblemIsTriedAgainWhereThatOnlyTakesAnother(t *testing.T) {
	p := newPages(t, Options{})
	for _, tc := range []struct {
		name    string
		problem Problem
		want    bool
	}{
		{"an app that is away, opened", Problem{Status: 502, Again: true}, true},
		{"an app that is away, sent a form, which the link would not send", Problem{Status: 502}, false},
		{"the way on is known", Problem{Status: 503, Again: true, Action: "Sign in", ActionURL: "/auth/"}, false},
		{"nothing is here, now or later", Problem{Status: 404, Again: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b strings.Builder
			if err := p.Problem(&b, tc.problem); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(b.String(), `href="">Try again</a>`); got != tc.want {
				t.Errorf("offers to try again: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestADenialNamesAFewWaysOn(t *testing.T) {
	p := newPages(t, Options{AuthPath: "/sso"})
	for n, want := range map[int]bool{0: false, waysShown: false, waysShown + 1: true} {
		var b strings.Builder
		if err := p.Denied(&b, Denied{Person: ada, Routes: manyRoutes(n)}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), `<a href="/sso/">All your apps</a>`); got != want {
			t.Errorf("%d other apps: leads to the portal %v, want %v", n, got, want)
		}
	}
}

func TestPolicyAllowsHashesAlone(t *testing.T) {
	hash := regexp.MustCompile(`'sha256-[A-Za-z0-9+/]{43}='`)
	const want = "default-src 'none'; style-src HASH; script-src HASH; img-src data:; form-action 'self' https:; frame-ancestors 'none'; base-uri 'none'"
	if diff := cmp.Diff(want, hash.ReplaceAllString(newPages(t, Options{}).CSP(), "HASH")); diff != "" {
		t.Error(diff)
	}
	if csp := newPages(t, Options{PlainHTTP: true}).CSP(); !strings.Contains(csp, "form-action 'self' https: http:;") {
		t.Error("plain http: forms could not lead to the provider:", csp)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken pipe")

func TestAWritersErrorIsReturned(t *testing.T) {
	if err := newPages(t, Options{}).SignIn(brokenWriter{}, SignIn{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func FuzzTextStaysText(f *testing.F) {
	for _, seed := range []string{"", hostile, "\x00", "\xff\xfe", "</script><!--", "]]>", "&lt;", "\u202e"} {
		f.Add(seed)
	}
	p := newPages(f, Options{})
	shape := func(s string) []string {
		var b bytes.Buffer
		v := Denied{Person: Person{Name: "a" + s}, What: "a" + s, MissingRoles: []string{s}, Routes: []RouteLink{{Title: "a" + s, URL: "/", Tenant: "a" + s}}, RequestID: "a" + s}
		if err := p.Denied(&b, v); err != nil {
			f.Fatal(err)
		}
		var tags []string
		for z := html.NewTokenizer(&b); ; {
			switch z.Next() {
			case html.ErrorToken:
				return tags
			case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken, html.CommentToken:
				token := z.Token()
				for _, a := range token.Attr {
					tags = append(tags, a.Key)
				}
				tags = append(tags, token.Data)
			}
		}
	}
	want := shape("")
	f.Fuzz(func(t *testing.T, s string) {
		if got := shape(s); !slices.Equal(got, want) {
			t.Errorf("%q changed the page's markup", s)
		}
	})
}
