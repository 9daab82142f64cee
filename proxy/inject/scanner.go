package inject

import (
	"bytes"
	"html"
	"strings"
)

// state is one of the tokenizer's, by the names of HTML, several in one where
// the difference does not matter here.
type state uint8

const (
	text state = iota
	tagOpen
	endTagOpen
	tagName
	beforeAttribute
	attributeName
	afterAttributeName
	beforeValue
	valueQuoted
	valueBare
	selfClosing
	markup // after <!
	markupDash
	commentStart
	commentStartDash
	comment
	commentEndDash
	commentEnd
	commentEndBang
	bogusComment // to the next >
	rawText      // to the element's own end tag
	rawTagOpen
	rawEndTag
	rawMarkup // after <! in a script
	rawMarkupDash
	rawName // after < in an escaped script
)

// found is what a byte of the page settles.
type found uint8

const (
	nothing found = iota
	opens         // what may become </body> begins here
	differs       // it does not
	ends          // it did, and is complete
	policy        // a meta element with a content security policy
	lost          // a browser and this scanner might part here
)

// longestMeta bounds what is kept of a meta element's attributes, in bytes.
const longestMeta = 16 << 10

// A scanner follows a page byte by byte.
type scanner struct {
	state state
	quote byte
	end   bool   // the tag under way is an end tag
	maybe bool   // it may be </body>
	slash bool   // it ended in />
	name  []byte // of the tag, lower case, no longer than any that matters

	raw     string // element whose text is not markup
	matched int    // bytes of its name seen
	escaped bool   // in <!-- of a script
	dashes  int

	templates, foreign int // depth; no script of a template runs

	attr, value     []byte // of a meta element
	equiv, contents string
	hasEquiv        bool
	hasContents     bool
}

// longestName is that of the longest tag that matters.
const longestName = len("plaintext")

// rawElements hold text that is not markup, scripting being on (WHATWG HTML,
// section 13.2.6.4.4 and 13.2.6.4.7).
var rawElements = []string{
	"script", "style", "title", "textarea", "noscript", "iframe", "noembed", "noframes", "xmp",
}

// skip returns how many bytes the state takes whatever they are.
func (s *scanner) skip(p []byte) int {
	var n int
	switch {
	case s.state == text, s.state == rawText && !s.escaped:
		n = bytes.IndexByte(p, '<')
	case s.state == comment:
		n = bytes.IndexByte(p, '-')
	case s.state == bogusComment:
		n = bytes.IndexByte(p, '>')
	default:
		return 0
	}
	if n < 0 {
		return len(p)
	}
	return n
}

// next takes a byte.
func (s *scanner) next(b byte) found {
	switch {
	case s.state >= rawText:
		return s.inRawText(b)
	case s.state >= markup:
		s.inComment(b)
		return nothing
	case s.state >= beforeAttribute:
		return s.inAttributes(b)
	}
	return s.inTag(b)
}

// inTag is text and the beginning of a tag.
func (s *scanner) inTag(b byte) found {
	switch s.state {
	case text:
		if b == '<' {
			s.state = tagOpen
			return opens
		}
		return nothing
	case tagOpen:
		s.end = b == '/'
		switch {
		case letter(b):
			s.beginTag(b)
		case b == '/':
			s.state = endTagOpen
			return nothing
		case b == '!':
			s.state = markup
		case b == '?':
			s.state = bogusComment
		case b == '<':
			return opens // the one before was text
		default:
			s.state = text
		}
		return differs
	case endTagOpen:
		switch {
		case letter(b):
			s.beginTag(b)
			return s.stillBody()
		case b == '>':
			s.state = text
		default:
			s.state = bogusComment
		}
		return differs
	}
	switch { // tagName
	case space(b):
		s.state = beforeAttribute
	case b == '/':
		s.state = selfClosing
	case b == '>':
		return s.endTag()
	default:
		if len(s.name) <= longestName {
			s.name = append(s.name, lower(b))
		}
		return s.stillBody()
	}
	return s.wholeBody()
}

func (s *scanner) beginTag(b byte) {
	s.state, s.slash = tagName, false
	s.name = append(s.name[:0], lower(b))
	s.maybe = s.end
	s.hasEquiv, s.hasContents = false, false
	s.equiv, s.contents = "", ""
	s.attr, s.value = s.attr[:0], s.value[:0]
}

// stillBody gives up an end tag that does not begin as body does.
func (s *scanner) stillBody() found {
	if s.maybe && !strings.HasPrefix("body", string(s.name)) {
		s.maybe = false
		return differs
	}
	return nothing
}

// wholeBody gives up an end tag whose name is over and is not body.
func (s *scanner) wholeBody() found {
	if s.maybe && string(s.name) != "body" {
		s.maybe = false
		return differs
	}
	return nothing
}

// inAttributes is a tag behind its name.
func (s *scanner) inAttributes(b byte) found {
	switch s.state {
	case valueQuoted:
		if b == s.quote {
			s.state = beforeAttribute
			s.keepAttribute()
			return nothing
		}
		return s.keep(&s.value, b)
	case valueBare:
		switch {
		case space(b):
			s.state = beforeAttribute
			s.keepAttribute()
			return nothing
		case b == '>':
			return s.endTag()
		}
		return s.keep(&s.value, b)
	case beforeValue:
		switch {
		case space(b):
			return nothing
		case b == '"' || b == '\'':
			s.state, s.quote = valueQuoted, b
			return nothing
		case b == '>':
			return s.endTag()
		}
		s.state = valueBare
		return s.keep(&s.value, b)
	}
	return s.inAttributeName(b)
}

// inAttributeName is a tag where an attribute's name may stand.
func (s *scanner) inAttributeName(b byte) found {
	switch {
	case b == '>':
		s.slash = s.state == selfClosing
		return s.endTag()
	case b == '/':
		s.keepAttribute()
		s.state = selfClosing
		return nothing
	case space(b):
		if s.state == attributeName {
			s.state = afterAttributeName
		} else if s.state == selfClosing {
			s.state = beforeAttribute
		}
		return nothing
	case b == '=' && (s.state == attributeName || s.state == afterAttributeName):
		s.state = beforeValue
		return nothing
	}
	if s.state != attributeName {
		s.keepAttribute()
		s.state = attributeName
	}
	return s.keep(&s.attr, lower(b))
}

// keep notes a byte of a meta element's attributes.
func (s *scanner) keep(to *[]byte, b byte) found {
	if s.end || string(s.name) != "meta" {
		return nothing
	}
	if len(*to) == longestMeta {
		return lost
	}
	*to = append(*to, b)
	return nothing
}

// keepAttribute notes a meta element's attribute. The first of a name counts.
func (s *scanner) keepAttribute() {
	switch {
	case string(s.attr) == "http-equiv" && !s.hasEquiv:
		s.equiv, s.hasEquiv = string(s.value), true
	case string(s.attr) == "content" && !s.hasContents:
		s.contents, s.hasContents = string(s.value), true
	}
	s.attr, s.value = s.attr[:0], s.value[:0]
}

// policy is the content security policy of the meta element that has just ended.
func (s *scanner) policy() string { return html.UnescapeString(s.contents) }

// endTag is the > of a tag.
func (s *scanner) endTag() found {
	s.keepAttribute()
	s.state = text
	name := string(s.name)
	if s.end {
		return s.endOf(name)
	}
	switch name {
	case "meta":
		if strings.EqualFold(strings.TrimSpace(html.UnescapeString(s.equiv)), "content-security-policy") {
			return policy
		}
	case "template":
		s.templates++
	case "svg", "math":
		if !s.slash {
			s.foreign++
		}
	case "plaintext":
		return lost // and never ends
	}
	for _, raw := range rawElements {
		if name == raw && !(s.slash && s.foreign > 0) {
			s.state, s.raw, s.escaped = rawText, raw, false
		}
	}
	return nothing
}

func (s *scanner) endOf(name string) found {
	switch name {
	case "body":
		if s.maybe && s.templates == 0 {
			return ends
		}
	case "template":
		s.templates = max(0, s.templates-1)
	case "svg", "math":
		s.foreign = max(0, s.foreign-1)
	}
	return differs
}

func letter(b byte) bool { b |= 0x20; return b >= 'a' && b <= 'z' }

func space(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' || b == '\f' }

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b | 0x20
	}
	return b
}
