package pages

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestOptionsThatCannotBeUsedAreRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		in   Options
		want string // part of the error; empty means good
	}{
		{"nothing", Options{}, ""},
		{"an address", Options{Support: "help@acme.example"}, ""},
		{"a mailto link", Options{Support: "mailto:help@acme.example?subject=Apps"}, ""},
		{"an https link", Options{Support: "https://help.acme.example/apps"}, ""},
		{"an http link", Options{Support: "http://help"}, ""},
		{"a script", Options{Support: "javascript:alert(1)"}, "want an e-mail address"},
		{"a script in capitals", Options{Support: "JavaScript://x/%0aalert(1)"}, "want an e-mail address"},
		{"data", Options{Support: "data:text/html,x"}, "want an e-mail address"},
		{"a bare word", Options{Support: "helpdesk"}, "want an e-mail address"},
		{"a path", Options{Support: "//evil.example"}, "want an e-mail address"},
		{"a link without host", Options{Support: "https:evil"}, "want an e-mail address"},
		{"a name with its address", Options{Support: "Help <help@acme.example>"}, "want an e-mail address"},
		{"an SVG logo", Options{Logo: []byte("\ufeff<?xml version='1.0'?>\n<!-- drawn -->\n<svg></svg>")}, ""},
		{"a PNG logo", Options{Logo: []byte("\x89PNG\r\n\x1a\n")}, ""},
		{"a named type", Options{Logo: []byte("x"), LogoType: "image/webp; q=1"}, ""},
		{"an HTML logo", Options{Logo: []byte("<!doctype html><svg>")}, "text/html"},
		{"an HTML logo that says so", Options{Logo: []byte("x"), LogoType: "text/html"}, "text/html"},
		{"a type that is none", Options{Logo: []byte("x"), LogoType: "a b"}, "type of the logo"},
		{"a logo too large", Options{Logo: make([]byte, MaxLogo+1)}, "at most"},
		{"another auth path", Options{AuthPath: "/sso/"}, ""},
		{"an auth path that is another host", Options{AuthPath: "//evil"}, "auth path"},
		{"an auth path that is no path", Options{AuthPath: "auth"}, "auth path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.in)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestSupportLinksNameTheRequestWhereTheyCan(t *testing.T) {
	for _, test := range []struct{ in, id, href, text string }{
		{"help@acme.example", "r 1", "mailto:help@acme.example?subject=Request%20r%201", "help@acme.example"},
		{"help@acme.example", "", "mailto:help@acme.example", "help@acme.example"},
		{"a?b&c@acme.example", "", "mailto:a%3Fb&c@acme.example", "a?b&c@acme.example"},
		{"mailto:help@acme.example?subject=Apps", "r1", "mailto:help@acme.example?subject=Apps", "help@acme.example"},
		{"https://help.acme.example", "r1", "https://help.acme.example", "Contact support"},
	} {
		s, err := parseSupport(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if l := s.link(test.id); l.Href != test.href || l.Text != test.text {
			t.Errorf("%s: got %+v", test.in, *l)
		}
	}
}

func TestTheMenuNeedsNothingAPolicyForbids(t *testing.T) {
	menu := Menu()
	if len(menu) > 14_000 {
		t.Errorf("%d bytes: every page of an app carries it", len(menu))
	}
	if !bytes.Contains(menu, []byte("all: initial")) {
		t.Error("its style was not put in")
	}
	for _, no := range []string{"innerHTML", "insertAdjacentHTML", "eval(", "Function(", "document.write", "setInterval", "import(", "http://app", `"menu.css"`, "/*"} {
		if bytes.Contains(menu, []byte(no)) {
			t.Errorf("it uses %s", no)
		}
	}
}

func TestSqueezeLeavesWhatIsSaid(t *testing.T) {
	const in = "/* a\n b */\n  x {\n\n    y: 1;\n  }\n  // gone\n  z(\"a // b\"); // stays\n"
	const want = "x {\ny: 1;\n}\nz(\"a // b\"); // stays\n"
	if got := squeeze([]byte(in)); got != want {
		t.Errorf("got %q", got)
	}
}

var (
	themeBlock = regexp.MustCompile(`(?s)(?::root|:host) \{(.*?)\}`)
	token      = regexp.MustCompile(`--([\w-]+): #([0-9a-f]{6}|[0-9a-f]{3});`)
)

// The colours keep the contrast of WCAG 2.2 AA in both themes: 4.5 for text
// (1.4.3), 3 for the edges of what can be pressed (1.4.11).
func TestColoursCanBeRead(t *testing.T) {
	pairs := []struct {
		front string
		on    []string
		least float64
	}{
		{"ink", []string{"page", "surface", "sunken", "tint"}, 4.5},
		{"soft", []string{"page", "surface", "sunken"}, 4.5},
		{"accent", []string{"page", "surface", "tint"}, 4.5},
		{"accent-strong", []string{"page", "surface"}, 4.5},
		{"on-accent", []string{"accent", "accent-strong"}, 4.5},
		{"edge", []string{"page", "surface"}, 3},
	}
	for _, file := range []string{"style.css", "menu.css"} {
		for i, block := range themeBlock.FindAllSubmatch(read(file), 2) {
			theme := map[string]float64{}
			for _, m := range token.FindAllSubmatch(block[1], -1) {
				theme[string(m[1])] = luminance(t, string(m[2]))
			}
			if len(theme) < 7 {
				t.Fatalf("%s: %d colours in theme %d", file, len(theme), i)
			}
			for _, p := range pairs {
				for _, on := range p.on {
					a, b := theme[p.front], theme[on]
					if _, ok := theme[on]; !ok || a == 0 && p.front != "ink" {
						continue // the menu has fewer colours
					}
					if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < p.least {
						t.Errorf("%s, theme %d: %s on %s has contrast %.2f, want %.1f", file, i, p.front, on, ratio, p.least)
					}
				}
			}
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%[1]c%c%[2]c%c%[3]c", hex[0], hex[1], hex[2])
	}
	var sum float64
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
