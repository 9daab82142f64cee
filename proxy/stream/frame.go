package stream

// frames follows the boundaries of WebSocket frames (RFC 6455 §5.2) in one
// direction of a connection, however the bytes are split. It looks at headers
// only and steps over payloads.
type frames struct {
	left   uint64 // payload bytes of the frame that are still to come
	length uint64 // its length as far as the header was read
	extra  uint8  // bytes of extended length still to come
	mask   uint8  // bytes of masking key still to come
	part   headerPart
	opcode uint8
	closed bool // a whole close frame has passed
}

type headerPart uint8

const (
	first headerPart = iota
	second
	rest
	payload
)

const opClose = 8

// between reports whether the last byte seen ended a frame. Between the
// fragments of a message counts: control frames may stand there (§5.4).
func (f *frames) between() bool { return f.part == first }

// scan steps over all of p.
func (f *frames) scan(p []byte) {
	for len(p) > 0 {
		p = p[f.next(p):]
	}
}

// next steps over p as far as the frame goes that it continues or begins, and
// returns how far that is. f.between() then tells whether the frame ends there.
func (f *frames) next(p []byte) int {
	for i, b := range p {
		switch f.part {
		case first:
			f.opcode = b & 0x0f
			f.part = second
			continue
		case second:
			f.begin(b)
		case rest:
			if f.extra > 0 {
				f.length = f.length<<8 | uint64(b)
				f.extra--
			} else {
				f.mask--
			}
		case payload:
			return i + f.skip(len(p)-i)
		}
		if f.extra == 0 && f.mask == 0 {
			f.part, f.left = payload, f.length
			if f.left == 0 {
				f.end()
				return i + 1
			}
		}
	}
	return len(p)
}

// begin reads the second byte: the mask bit and the length, or how many bytes
// hold the length.
func (f *frames) begin(b byte) {
	f.part = rest
	f.length, f.extra, f.mask = 0, 0, 0
	switch n := b & 0x7f; n {
	case 126:
		f.extra = 2
	case 127:
		f.extra = 8
	default:
		f.length = uint64(n)
	}
	if b&0x80 != 0 {
		f.mask = 4
	}
}

func (f *frames) skip(n int) int {
	if uint64(n) < f.left {
		f.left -= uint64(n)
		return n
	}
	n = int(f.left)
	f.end()
	return n
}

func (f *frames) end() {
	f.part, f.left = first, 0
	f.closed = f.closed || f.opcode == opClose
}

// closeFrame returns an unmasked close frame (§5.5.1).
func closeFrame(cause Cause) []byte {
	reason := cause.closeReason()
	code := cause.closeCode()
	frame := append(make([]byte, 0, 4+len(reason)), 0x80|opClose, byte(2+len(reason)), byte(code>>8), byte(code))
	return append(frame, reason...)
}

// outbound follows what goes to the client of an upgrade: the 101 header, then
// frames.
type outbound struct {
	frames
	matched uint8 // bytes of the blank line that ends the header
	header  bool  // it has passed
}

func (o *outbound) between() bool { return o.header && o.frames.between() }

func (o *outbound) next(p []byte) int {
	if o.header {
		return o.frames.next(p)
	}
	const blank = "\r\n\r\n"
	for i, b := range p {
		switch b {
		case blank[o.matched]:
			o.matched++
		case '\r':
			o.matched = 1
		default:
			o.matched = 0
		}
		if int(o.matched) == len(blank) {
			o.header = true
			return i + 1
		}
	}
	return len(p)
}

func (o *outbound) scan(p []byte) {
	for len(p) > 0 {
		p = p[o.next(p):]
	}
}
