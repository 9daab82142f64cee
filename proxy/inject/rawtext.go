package inject

// inComment is what stands between <! and >.
func (s *scanner) inComment(b byte) {
	switch s.state {
	case bogusComment:
		if b == '>' {
			s.state = text
		}
		return
	case markup:
		switch b {
		case '-':
			s.state = markupDash
		case '>':
			s.state = text
		default:
			s.state = bogusComment // a doctype too
		}
		return
	case markupDash:
		switch b {
		case '-':
			s.state = commentStart
		case '>':
			s.state = text
		default:
			s.state = bogusComment
		}
		return
	}
	s.state = afterInComment(s.state, b)
}

// afterInComment is the state after a byte of a comment.
func afterInComment(in state, b byte) state {
	closes := in != comment && in != commentEndDash
	switch {
	case b == '>' && closes:
		return text
	case b == '-' && in == commentStart:
		return commentStartDash
	case b == '-' && (in == comment || in == commentEndBang):
		return commentEndDash
	case b == '-':
		return commentEnd
	case b == '!' && in == commentEnd:
		return commentEndBang
	}
	return comment
}

// inRawText is the text of an element whose text is not markup: to its own end
// tag. A script that comes to <!-- and then <script is not followed any further
// ("double escaped": its </script> does not end it).
func (s *scanner) inRawText(b byte) found {
	switch s.state {
	case rawTagOpen:
		switch {
		case b == '/':
			s.state, s.matched = rawEndTag, 0
			return nothing
		case b == '!' && s.raw == "script" && !s.escaped:
			s.state = rawMarkup
			return nothing
		case s.escaped && lower(b) == 's':
			s.state, s.matched = rawName, 1
			return nothing
		}
	case rawEndTag:
		if s.matched < len(s.raw) && lower(b) == s.raw[s.matched] {
			s.matched++
			return nothing
		}
		if s.matched == len(s.raw) && (space(b) || b == '/' || b == '>') {
			s.end = true
			s.name = append(s.name[:0], s.raw...)
			s.maybe, s.state = false, tagName
			return s.inTag(b)
		}
	case rawName:
		if s.matched < len(s.raw) && lower(b) == s.raw[s.matched] {
			s.matched++
			return nothing
		}
		if s.matched == len(s.raw) && (space(b) || b == '/' || b == '>') {
			return lost
		}
	case rawMarkup:
		if b == '-' {
			s.state = rawMarkupDash
			return nothing
		}
	case rawMarkupDash:
		if b == '-' {
			s.state, s.escaped, s.dashes = rawText, true, 2
			return nothing
		}
	}
	s.state = rawText
	s.inEscaped(b)
	if b == '<' {
		s.state = rawTagOpen
	}
	return nothing
}

// inEscaped looks for the --> that ends the escaped part of a script.
func (s *scanner) inEscaped(b byte) {
	switch {
	case !s.escaped:
	case b == '-':
		s.dashes++
	case b == '>' && s.dashes >= 2:
		s.escaped = false
	default:
		s.dashes = 0
	}
}
