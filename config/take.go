package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// test looks at a text and completes "want …" where it will not do.
type test func(text string) (want string)

// text takes one line of text. The empty text is as good as none at all and is
// not tested.
func text(p *string, tests ...test) take {
	return func(d *decoder, key string, n *node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		if s != "" && !d.passes(key, n, s, tests) {
			return
		}
		*p = s
	}
}

// text is the text of a node, or a problem.
func (d *decoder) text(key string, n *node) (string, bool) {
	switch {
	case !n.isWord("!!str") && n.kind == scalar:
		d.problem(key, "want text%s; put it in quotes", n.got())
	case !n.isWord("!!str"):
		d.problem(key, "want text%s", n.got())
	case strings.ContainsFunc(n.text, unicode.IsControl):
		d.problem(key, "want text on one line, without control characters")
	default:
		return n.text, true
	}
	return "", false
}

func (d *decoder) passes(key string, n *node, s string, tests []test) bool {
	for _, t := range tests {
		if want := t(s); want != "" {
			d.problem(key, "want %s%s", want, n.got())
			return false
		}
	}
	return true
}

// prose takes text that may have several lines.
func prose(p *string) take {
	return func(d *decoder, key string, n *node) {
		if !n.isWord("!!str") {
			d.problem(key, "want text%s", n.got())
			return
		}
		*p = strings.TrimSpace(n.text)
	}
}

// oneOf takes one of a few words.
func oneOf(p *string, words ...string) take {
	return func(d *decoder, key string, n *node) {
		if n.isWord("!!str") && slices.Contains(words, n.text) {
			*p = n.text
			return
		}
		want := "want " + orList(words) + n.got()
		if guess := nearest(n.text, words); guess != "" && !n.place.hidden && n.kind == scalar {
			want += "; did you mean " + guess + "?"
		}
		d.problem(key, "%s", want)
	}
}

func orList(words []string) string {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// boolean takes true or false.
func boolean(p *bool) take {
	return func(d *decoder, key string, n *node) {
		if n.isWord("!!bool") {
			switch strings.ToLower(n.text) {
			case "true":
				*p = true
				return
			case "false":
				*p = false
				return
			}
		}
		d.problem(key, "want true or false%s", n.got())
	}
}

// optionalBoolean takes true or false and leaves nil where neither is written.
func optionalBoolean(p **bool) take {
	return func(d *decoder, key string, n *node) {
		var b bool
		boolean(&b)(d, key, n)
		*p = &b
	}
}

// duration takes a span of time that is not negative.
func duration(p *time.Duration) take {
	return func(d *decoder, key string, n *node) {
		if n.isWord("!!str") || n.kind == scalar && n.text == "0" {
			if t, err := time.ParseDuration(n.text); err == nil && t >= 0 {
				*p = t
				return
			} else if err == nil {
				d.problem(key, "want a duration that is not negative%s", n.got())
				return
			}
		}
		d.problem(key, "want a duration with its unit such as 30s, 15m or 24h%s", n.got())
	}
}

// bytesCount takes a number of bytes.
func bytesCount(p *int64) take {
	return func(d *decoder, key string, n *node) {
		if n.isWord("!!int") {
			if i, err := strconv.ParseInt(n.text, 0, 64); err == nil && i >= 0 {
				*p = i
				return
			}
		}
		d.problem(key, "want a whole number of bytes that is not negative, such as 10485760%s", n.got())
	}
}

// texts takes a list of texts, none of them empty.
func texts(p *[]string, tests ...test) take {
	return func(d *decoder, key string, n *node) {
		*p = d.texts(key, n, tests)
	}
}

// texts is a list's texts; a comma list where it came from the environment.
func (d *decoder) texts(key string, n *node, tests []test) []string {
	var out []string
	for _, item := range d.items(key, n) {
		s, ok := d.text(item.key, item.node)
		if !ok {
			continue
		}
		if s == "" {
			d.problem(item.key, "is empty; take it out or write a value")
			continue
		}
		if d.passes(item.key, item.node, s, tests) {
			out = append(out, s)
		}
	}
	return out
}

// item is one element of a list.
type item struct {
	key string
	*node
}

// items is a list's elements, with their places noted.
func (d *decoder) items(key string, n *node) []item {
	var out []item
	switch {
	case n.kind == list:
		for i, child := range n.items {
			at := childIndex(key, i)
			d.places[at] = child.place
			out = append(out, item{at, child})
		}
	case n.kind == scalar && n.place.variable != "":
		for _, part := range strings.Split(n.text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, item{key, environmentNode(n.place.variable, part)})
			}
		}
	case n.kind == scalar && n.tag == "!!str" && !n.place.hidden && !isSecretKey(key):
		d.problem(key, "want a list%s; write [%s]", n.got(), n.text)
	case isSecretKey(key):
		d.problem(key, "want a list")
	default:
		d.problem(key, "want a list%s", n.got())
	}
	return out
}

// oneOrItems is items, but one value may stand without a list around it.
func (d *decoder) oneOrItems(key string, n *node) []item {
	switch {
	case n.kind == scalar && n.place.variable == "":
		return []item{{key, n}}
	case n.kind == mapping:
		d.problem(key, "want one value or a list, got a mapping")
		return nil
	}
	return d.items(key, n)
}

// filePath takes the path of a file.
func filePath(p *string) take {
	return func(d *decoder, key string, n *node) {
		var s string
		text(&s)(d, key, n)
		*p = d.path(s)
	}
}

// filePaths takes the path of a file or a list of them.
func filePaths(p *[]string) take {
	return func(d *decoder, key string, n *node) {
		for _, item := range d.oneOrItems(key, n) {
			s, ok := d.text(item.key, item.node)
			if ok && s != "" {
				*p = append(*p, d.path(s))
			} else if ok && n.kind == list {
				d.problem(item.key, "is empty; take it out or write a path")
			}
		}
	}
}

// networks takes CIDRs; a single address is a network of its own.
func networks(p *[]netip.Prefix) take {
	return func(d *decoder, key string, n *node) {
		for _, item := range d.items(key, n) {
			s, ok := d.text(item.key, item.node)
			if !ok {
				continue
			}
			if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
				address = address.Unmap()
				*p = append(*p, netip.PrefixFrom(address, address.BitLen()))
				continue
			}
			network, err := netip.ParsePrefix(s)
			switch {
			case err != nil:
				d.problem(item.key, "want a network such as 10.0.0.0/8 or an address%s", item.got())
			case network != network.Masked() && item.place.hidden:
				d.problem(item.key, "want the network's own address before the slash")
			case network != network.Masked():
				d.problem(item.key, "want the network's own address before the slash: write %s", network.Masked())
			default:
				*p = append(*p, network)
			}
		}
	}
}
