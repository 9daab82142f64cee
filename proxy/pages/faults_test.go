package pages

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// faults reads a page as a strict reader would and tells what is wrong with it.
func faults(page []byte, csp string) []string {
	c := &checker{csp: csp, ids: map[string]bool{}, count: map[string]int{}}
	c.balance(page)
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return append(c.found, err.Error())
	}
	c.walk(doc)
	for _, tag := range []string{"h1", "main", "header", "footer", "title"} {
		if c.count[tag] != 1 {
			c.fault("%d <%s>, want one", c.count[tag], tag)
		}
	}
	for _, id := range c.refs {
		if !c.ids[id] {
			c.fault("nothing has the id %q", id)
		}
	}
	return c.found
}

type checker struct {
	csp   string
	found []string
	ids   map[string]bool
	refs  []string
	count map[string]int
}

func (c *checker) fault(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

// balance holds that every tag is closed in order, which the forgiving parser
// does not tell.
func (c *checker) balance(page []byte) {
	void := []string{"meta", "link", "img", "input"}
	var open []string
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				c.fault("never closed: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				c.fault("</%s> closes %v", name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

func (c *checker) walk(n *html.Node) {
	if n.Type == html.ElementNode {
		c.element(n)
	}
	for child := range n.ChildNodes() {
		c.walk(child)
	}
}

func (c *checker) element(n *html.Node) {
	c.count[n.Data]++
	attrs := map[string]string{}
	for _, a := range n.Attr {
		attrs[a.Key] = a.Val
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
			c.fault("<%s %s>: the policy forbids it", n.Data, a.Key)
		}
	}
	if id, ok := attrs["id"]; ok {
		if c.ids[id] {
			c.fault("id %q stands twice", id)
		}
		c.ids[id] = true
	}
	for _, key := range []string{"for", "aria-labelledby"} {
		if ref, ok := attrs[key]; ok {
			c.refs = append(c.refs, ref)
		}
	}
	c.rules(n, attrs)
}

func (c *checker) rules(n *html.Node, attrs map[string]string) {
	switch n.Data {
	case "html":
		if attrs["lang"] == "" {
			c.fault("the page names no language")
		}
	case "style", "script":
		if len(n.Attr) > 0 || n.FirstChild == nil || !strings.Contains(c.csp, hashSource(n.FirstChild.Data)) {
			c.fault("the policy does not allow this <%s>", n.Data)
		}
		if n.FirstChild != nil && (strings.Contains(n.FirstChild.Data, "url(") || strings.Contains(n.FirstChild.Data, "@import")) {
			c.fault("<%s> loads something", n.Data)
		}
	case "link", "img":
		for _, key := range []string{"href", "src"} {
			if v, ok := attrs[key]; ok && !strings.HasPrefix(v, "data:image/") {
				c.fault("<%s> loads %s", n.Data, v)
			}
		}
		if _, ok := attrs["alt"]; n.Data == "img" && !ok {
			c.fault("<img> without alt")
		}
	case "form":
		if attrs["method"] != "post" {
			c.fault("a form that does not POST")
		}
	case "button":
		if attrs["type"] == "" {
			c.fault("<button> without type")
		}
		fallthrough
	case "a", "h1", "h2":
		if strings.TrimSpace(textOf(n)) == "" {
			c.fault("<%s> says nothing", n.Data)
		}
	case "iframe", "object", "embed", "base", "audio", "video":
		c.fault("<%s> has no place here", n.Data)
	}
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for child := range n.ChildNodes() {
		b.WriteString(textOf(child))
	}
	return b.String()
}
