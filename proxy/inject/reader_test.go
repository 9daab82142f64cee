package inject

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/net/html"
)

const tag = `<script src="/auth/menu.js" defer></script>`

func allowAll(string) bool { return true }

func read(t *testing.T, page io.Reader, allows func(string) bool) string {
	t.Helper()
	out, err := io.ReadAll(NewReader(io.NopCloser(page), tag, allows))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// here stands in the pages below for where the tag is wanted.
const here = "§"

func TestTheTagStandsBeforeTheLastBodyEndTag(t *testing.T) {
	for _, c := range []struct{ name, page string }{
		{"an ordinary page", "<html><body><h1>App</h1>§</body></html>\n"},
		{"whatever its case", "<HTML><BODY>x§</BODY></HTML>"},
		{"with space and attributes in the end tag", "<body>x§</body\n a='>' b=\"</body>\"></html>"},
		{"after the last of several", "<body>x</body>y</body>z§</body>"},
		{"nothing but it", "§</body>"},
		{"not where there is none", "<html><body><p>no end"},
		{"not in an empty page", ""},
		{"not in an end tag that the page's end cuts", "<body>x</body"},
		{"nor in one with attributes", "<body>x</body a="},
		{"not in a longer name", "<body>x</bodyguard>§</body></bod></bodyx>"},
		{"not in a comment", "<body>x§</body><!-- </body> -->"},
		{"not in a comment that a bang ends", "<body>x<!-- </body> --!>§</body>"},
		{"after a comment of two dashes", "<body><!-->§</body>"},
		{"after a comment of three", "<body><!--->§</body>"},
		{"not in a comment without end", "<body>x<!-- </body>"},
		{"not in an attribute", "<body>§</body><p title='</body>'>"},
		{"nor in one without quotes", "<body><p title=</body>x§</body>"},
		{"not in a script's string", `<body>§</body><script>w("</body>")</script>`},
		{"nor in its comment", `<body><script><!-- </body> --></script>§</body>`},
		{"after a script with an arrow to the right", `<script><!--
x --> 1; a="<script>"</script>§</body>`},
		{"not in a style", "<style>a::after{content:'</body>'}</style>§</body>"},
		{"not in a title, a textarea, a noscript", "<title></body></title><textarea></body></TEXTAREA ><noscript></body></noscript>§</body>"},
		{"after a script whose end tag only looks like one", "<script></scripty></body></script >§</body>"},
		{"not in a template", "<body>§</body><template></body></template>"},
		{"after a nested one", "<template><template></template></body></template>§</body>"},
		{"after an icon with a title of its own", "<svg><title/></svg>x§</body>"},
		{"after an icon with a title that is closed", "<svg><title>a</title></svg>x§</body>"},
		{"after a less-than sign that is text", "<body>1 < 2 <3 << </ 4>§</body>"},
		{"after a processing instruction and a doctype", "<?xml version='1.0'?><!DOCTYPE html></3>§</body>"},
		{"not once a script is in a comment in a script", "<script><!--<script>x</script></body></script></body>"},
		{"not after plaintext", "<plaintext></body>"},
		{"not in UTF-16, whose byte order mark says so", "\xff\xfe<body></body>"},
		{"not where more than the window follows", "<body></body>" + strings.Repeat("x", window)},
		{"but in the last one where less does", "<body></body>" + strings.Repeat("x", window) + "§</body>" + strings.Repeat("\n", window-7)},
	} {
		t.Run(c.name, func(t *testing.T) {
			page, want := strings.ReplaceAll(c.page, here, ""), strings.ReplaceAll(c.page, here, tag)
			for how, r := range map[string]io.Reader{
				"whole":        strings.NewReader(page),
				"byte by byte": iotest.OneByteReader(strings.NewReader(page)),
				"in halves":    iotest.HalfReader(strings.NewReader(page)),
				"with its end": iotest.DataErrReader(strings.NewReader(page)),
			} {
				if got := read(t, r, allowAll); got != want {
					t.Errorf("%s: got %s, want %s", how, clip(got), clip(want))
				}
			}
		})
	}
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:120] + "…" + s[len(s)-120:]
	}
	return s
}

func TestAPageWhoseOwnElementForbidsTheScriptStaysAsItIs(t *testing.T) {
	site := Site{Scheme: "https", Host: "app.example", Script: "/auth/menu.js"}
	for _, c := range []struct{ name, meta, want string }{
		{"one that allows it", `<meta http-equiv="Content-Security-Policy" content="script-src 'self'">`, tag},
		{"one that does not", `<meta http-equiv="Content-Security-Policy" content="script-src 'none'">`, ""},
		{"without quotes", `<meta content=default-src&#32;&#39;none&#39; http-equiv=content-security-policy>`, ""},
		{"upper case, single quotes, a slash", `<META HTTP-EQUIV='CONTENT-SECURITY-POLICY' CONTENT='script-src &quot;x'/>`, ""},
		{"the first of two contents counts", `<meta content="script-src 'self'" content="script-src 'none'" http-equiv=content-security-policy>`, tag},
		{"another element", `<metal http-equiv=content-security-policy content="script-src 'none'">`, tag},
		{"another equivalent", `<meta http-equiv=refresh content="script-src 'none'">`, tag},
		{"in a comment", `<!--<meta http-equiv=content-security-policy content="script-src 'none'">-->`, tag},
		{"larger than anybody's", `<meta http-equiv=content-security-policy content="` + strings.Repeat("a", longestMeta+1) + `">`, ""},
		{"after the body's end", `</body><meta http-equiv=content-security-policy content="script-src 'none'">`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := "<head>" + c.meta + "<body>x</body>"
			want := strings.TrimSuffix(page, "</body>") + c.want + "</body>"
			if got := read(t, iotest.OneByteReader(strings.NewReader(page)), site.Allows); got != want {
				t.Errorf("got %s, want %s", clip(got), clip(want))
			}
		})
	}
}

func TestAPageThatBreaksOffIsGivenAsFarAsItCame(t *testing.T) {
	broken := errors.New("connection reset")
	page := "<body>half</body> of"
	got, err := io.ReadAll(NewReader(io.NopCloser(io.MultiReader(strings.NewReader(page), iotest.ErrReader(broken))), tag, allowAll))
	if string(got) != page || !errors.Is(err, broken) {
		t.Errorf("got %q and %v", got, err)
	}
}

func TestThePageIsNotHeldBack(t *testing.T) {
	from, to := io.Pipe()
	r := NewReader(from, tag, allowAll)
	begin := "<html><body><p>first</p>"
	go to.Write([]byte(begin))
	got := make([]byte, len(begin))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != begin {
		t.Fatalf("got %q, %v", got, err)
	}
	go func() { to.Write([]byte("<p>last</p></body>")); to.Close() }()
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "<p>last</p>"+tag+"</body>" {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestMemoryIsBoundedWhateverThePage(t *testing.T) {
	for _, c := range []struct{ name, piece string }{
		{"text", "lorem ipsum "}, {"end tags of the body", "</body>"}, {"an end tag without end", "</body a"},
		{"less-than signs", "<"}, {"tags", "<p class='x'>"}, {"a script", "<script>x</script>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(io.NopCloser(io.LimitReader(&repeat{piece: c.piece}, 1<<20)), tag, allowAll)
			buf, total := make([]byte, 32<<10), 0
			for {
				n, err := r.Read(buf)
				total += n
				if cap(r.buf) > 8*window {
					t.Fatalf("%d bytes are held", cap(r.buf))
				}
				if err == io.EOF {
					break
				}
			}
			if total != 1<<20 && total != 1<<20+len(tag) {
				t.Errorf("%d bytes came out", total)
			}
		})
	}
}

type repeat struct {
	piece string
	at    int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.piece[r.at]
		r.at = (r.at + 1) % len(r.piece)
	}
	return len(p), nil
}

// FuzzReader: whatever the page and however it comes, what comes out less the
// tag is what went in.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"<html><body>x</body></html>", "</body>", "</BoDy >", "<!-- </body> --></body>", "<script>'</body>'</script></body>",
		"<script><!--<script></script></body>", "<p a='</body>'></body>", "<meta http-equiv=content-security-policy content=x></body>",
		"</body></body", "\xff\xfe</body>", "<template></body></template></body>", "<svg><style/></svg></body>", "<!--></body>", "<</body>", "<a/</body>",
	} {
		f.Add([]byte(seed), uint8(1))
		f.Add([]byte(seed), uint8(7))
	}
	f.Fuzz(func(t *testing.T, page []byte, size uint8) {
		out, err := io.ReadAll(NewReader(io.NopCloser(&chunks{page, int(size)%64 + 1}), tag, allowAll))
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := io.ReadAll(NewReader(io.NopCloser(bytes.NewReader(page)), tag, allowAll))
		if !bytes.Equal(out, whole) {
			t.Fatalf("in chunks of %d: %q, at once: %q", int(size)%64+1, out, whole)
		}
		if bytes.Equal(out, page) {
			return
		}
		for i := range out {
			if rest, ok := bytes.CutPrefix(out[i:], []byte(tag)); ok && bytes.Equal(append(out[:i:i], rest...), page) {
				if !bytes.HasPrefix(bytes.ToLower(rest), []byte("</body")) {
					t.Fatalf("not before </body>: %q", out)
				}
				return
			}
		}
		t.Fatalf("%q became %q", page, out)
	})
}

// FuzzAgainstTokenizer: where the tag is put in, an independent tokenizer finds
// a script element with that source, and every other token is as before.
func FuzzAgainstTokenizer(f *testing.F) {
	for _, seed := range []string{
		"<html><body>x</body></html>", "<!-- </body> --></body>", "<script>'</body>'</script></body>", "<p a='</body>'></body>",
		"<script><!-- <script> --></script></body>", "<title></body></title></body>", "<!--></body>", "<!---></body>", "<!-- --!></body>",
		"<script><!--<script></body>", "<noscript></body></noscript></body>", "<textarea></textarea/></body>", "<style></style x='>'></body>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		lower := bytes.ToLower(page)
		if bytes.Contains(lower, []byte("svg")) || bytes.Contains(lower, []byte("math")) || bytes.Contains(page, []byte{0}) {
			return // the tokenizer alone does not know foreign elements
		}
		out, err := io.ReadAll(NewReader(io.NopCloser(bytes.NewReader(page)), tag, allowAll))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(out, page) {
			return
		}
		before, after := tokens(page), tokens(out)
		i := 0
		for i < len(before) && i < len(after) && before[i] == after[i] {
			i++
		}
		if i+2 > len(after) || after[i] != tag[:strings.Index(tag, ">")+1] || after[i+1] != "</script>" ||
			strings.Join(after[i+2:], "\x00") != strings.Join(before[i:], "\x00") {
			t.Fatalf("%q became %q\ntokens %q\nnow    %q", page, out, before, after)
		}
	})
}

func tokens(page []byte) []string {
	var out []string
	z := html.NewTokenizer(bytes.NewReader(page))
	for z.Next() != html.ErrorToken {
		out = append(out, string(z.Raw()))
	}
	return out
}

type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

func BenchmarkReader(b *testing.B) {
	page := []byte("<html><body>" + strings.Repeat("<div class='row'><p>Some text that a page has</p></div>\n", 20000) + "</body></html>")
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		_, _ = io.Copy(io.Discard, NewReader(io.NopCloser(bytes.NewReader(page)), tag, allowAll))
	}
}
