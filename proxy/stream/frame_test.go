package stream

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// frame is a WebSocket frame as the reference decoder reads it.
type frame struct {
	first   byte
	masked  bool
	payload []byte
}

func (f frame) bytes() []byte {
	b := []byte{f.first}
	mask := byte(0)
	if f.masked {
		mask = 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if f.masked {
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, f.payload...)
}

// readFrame reads one frame straight from the RFC, without a state that could
// be split. It returns the opcode, and io.ErrUnexpectedEOF for a torn frame.
func readFrame(r *bufio.Reader) (opcode byte, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return 0, nil, io.EOF
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	length := uint64(head[1] & 0x7f)
	if extended := map[uint64]int{126: 2, 127: 8}[length]; extended > 0 {
		field := make([]byte, 8)
		if _, err := io.ReadFull(r, field[8-extended:]); err != nil {
			return 0, nil, io.ErrUnexpectedEOF
		}
		length = binary.BigEndian.Uint64(field)
	}
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, make([]byte, 4)); err != nil {
			return 0, nil, io.ErrUnexpectedEOF
		}
	}
	if length > 1<<32 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	var got bytes.Buffer
	n, _ := io.CopyN(&got, r, int64(length))
	if uint64(n) < length {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return head[0] & 0x0f, got.Bytes(), nil
}

// ends returns after how many bytes the frames of a stream end, and after how
// many the first close frame does (-1: never).
func ends(data []byte) (all []int, closed int) {
	under := bytes.NewReader(data)
	r := bufio.NewReaderSize(under, len(data)+16)
	closed = -1
	for {
		opcode, _, err := readFrame(r)
		if err != nil {
			return all, closed
		}
		at := len(data) - under.Len() - r.Buffered()
		all = append(all, at)
		if opcode == opClose && closed < 0 {
			closed = at
		}
	}
}

func FuzzFramesAgreeWithTheReference(f *testing.F) {
	text := frame{first: 0x81, payload: []byte("hello")}.bytes()
	long := frame{first: 0x02, payload: bytes.Repeat([]byte{0x88}, 300)}.bytes()
	huge := frame{first: 0x82, payload: make([]byte, 70000)}.bytes()
	masked := frame{first: 0x81, masked: true, payload: []byte("secret")}.bytes()
	ping, closing := frame{first: 0x89}.bytes(), closeFrame(SignOut)
	f.Add(bytes.Join([][]byte{text, ping, long, masked, closing, text}, nil), uint64(1))
	f.Add(append(huge, closing...), uint64(2))
	f.Add(frame{first: 0x01, masked: true}.bytes(), uint64(3))
	f.Add([]byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x88, 0}, uint64(4))
	f.Add([]byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0x82, 126, 0, 0, 0x81}, uint64(5))
	f.Add([]byte{0x82, 126, 0}, uint64(6))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		want, closed := ends(data)
		random := rand.New(rand.NewPCG(seed, 0))
		var scanned frames
		var got []int
		for at := 0; at < len(data); {
			piece := data[at : at+1+random.IntN(min(len(data)-at, 1+random.IntN(1<<(1+random.IntN(16)))))]
			stepped := scanned
			stepped.scan(piece)
			for len(piece) > 0 {
				n := scanned.next(piece)
				if n == 0 {
					t.Fatalf("no step at %d", at)
				}
				at, piece = at+n, piece[n:]
				if scanned.between() {
					got = append(got, at)
				}
				if scanned.closed != (closed >= 0 && at >= closed) {
					t.Fatalf("at %d: closed is %v, the close frame ends at %d", at, scanned.closed, closed)
				}
			}
			if stepped != scanned {
				t.Fatalf("at %d: scan %+v, next %+v", at, stepped, scanned)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("frames end at %v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("frames end at %v, want %v", got, want)
			}
		}
	})
}

func TestTheHeaderOfAnUpgradeIsNoFrame(t *testing.T) {
	head := "HTTP/1.1 101 Switching Protocols\r\nX: \r\r\n\r\r\n\r\n"
	data := head + string(closeFrame(Shutdown))
	for step := 1; step <= len(data); step++ {
		var o outbound
		for at := 0; at < len(data); {
			if o.between() != (at == len(head)) {
				t.Fatalf("in steps of %d, after %q: between is %v", step, data[:at], o.between())
			}
			if o.closed {
				t.Fatalf("in steps of %d, after %q: closed", step, data[:at])
			}
			at += o.next([]byte(data[at:min(at+step, len(data))]))
		}
		if !o.closed || !o.between() {
			t.Errorf("in steps of %d: the close frame was not seen", step)
		}
	}
}

func TestCloseFramesAreShortEnough(t *testing.T) {
	for _, cause := range []Cause{SignOut, Expired, Revoked, BearerExpired, RoleLost, PolicyChanged, Unavailable, Shutdown, "other"} {
		opcode, payload, err := readFrame(bufio.NewReader(bytes.NewReader(closeFrame(cause))))
		if opcode != opClose || err != nil || len(payload) > 125 {
			t.Errorf("%s: opcode %d, %q, %v", cause, opcode, payload, err)
		}
		if code := binary.BigEndian.Uint16(payload); code != cause.closeCode() {
			t.Errorf("%s: code %d", cause, code)
		}
		if reason := string(payload[2:]); reason != cause.closeReason() || strings.ContainsRune(reason, '_') {
			t.Errorf("%s: reason %q", cause, reason)
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	for name, size := range map[string]int{"32 B": 32, "1 KB": 1 << 10, "32 KB": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			one := frame{first: 0x81, payload: make([]byte, size)}.bytes()
			chunk := bytes.Repeat(one, max(1, (32<<10)/len(one)))
			var f frames
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				f.scan(chunk)
			}
		})
	}
}
