package inject

import (
	"io"
	"slices"
)

// window is how many bytes may follow the last </body>: more than any page has
// there, development servers' scripts included. What has more after it was not
// the end.
const window = 64 << 10

// A Reader is a page with the tag in it.
type Reader struct {
	page   io.ReadCloser
	tag    string
	allows func(policy string) bool

	scan  scanner
	buf   []byte // read and not yet given
	ready int    // that much of buf can be given
	mark  int    // where the last </body> begins in buf, or -1
	open  int    // where what may become one begins in buf, or -1
	begun bool
	plain bool  // nothing is put in any more
	err   error // the page's end
}

// NewReader returns page with tag before its last </body>. allows is asked of
// each policy that stands in the page; where it says no, the page stays as it
// is. The page's encoding must have ASCII in it as ASCII ([Readable]).
func NewReader(page io.ReadCloser, tag string, allows func(policy string) bool) *Reader {
	return &Reader{page: page, tag: tag, allows: allows, mark: -1, open: -1}
}

// Close closes the page.
func (r *Reader) Close() error { return r.page.Close() }

// Read gives what is certain. It waits for the page only while there is nothing
// to give, and a failure of the page is given after all that came before it.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.ready == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.plain {
			return r.page.Read(p)
		}
		r.more(len(p))
	}
	n := copy(p, r.buf[:r.ready])
	r.advance(n)
	return n, nil
}

// advance drops what was given.
func (r *Reader) advance(n int) {
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
	r.ready -= n
	if r.mark >= 0 {
		r.mark -= n
	}
	if r.open >= 0 {
		r.open -= n
	}
}

// more reads up to n bytes of the page.
func (r *Reader) more(n int) {
	from := len(r.buf)
	r.buf = slices.Grow(r.buf, min(max(n, 512), 32<<10))
	got, err := r.page.Read(r.buf[from:cap(r.buf)])
	r.buf = r.buf[:from+got]
	r.look(from)
	switch {
	case err == io.EOF:
		r.err = err
		r.finish()
	case err != nil:
		r.err = err
		r.letPass()
	}
}

// look scans what was read from that place of buf on.
func (r *Reader) look(from int) {
	if !r.begun && len(r.buf) > 0 {
		r.begun = true
		if r.buf[0] >= 0xFE { // the byte order mark of UTF-16
			r.letPass()
			return
		}
	}
	for i := from; i < len(r.buf) && !r.plain; i++ {
		i += r.scan.skip(r.buf[i:])
		if i == len(r.buf) {
			break
		}
		switch r.scan.next(r.buf[i]) {
		case opens:
			r.open = i
		case differs:
			r.open = -1
		case ends:
			if r.open >= 0 {
				r.mark, r.open = r.open, -1
			}
		case policy:
			if !r.allows(r.scan.policy()) {
				r.letPass()
			}
		case lost:
			r.letPass()
		}
	}
	r.settle()
}

// settle says how much is certain.
func (r *Reader) settle() {
	if r.plain {
		return
	}
	r.ready = len(r.buf)
	for _, held := range [...]int{r.mark, r.open} {
		if held >= 0 {
			r.ready = min(r.ready, held)
		}
	}
	if len(r.buf)-r.ready > window {
		r.mark, r.open = -1, -1
		r.ready = len(r.buf)
	}
}

// letPass gives the rest as it is.
func (r *Reader) letPass() {
	r.plain = true
	r.mark, r.open = -1, -1
	r.ready = len(r.buf)
}

// finish puts the tag in at the end of the page.
func (r *Reader) finish() {
	if r.mark >= 0 {
		r.buf = slices.Insert(r.buf, r.mark, []byte(r.tag)...)
	}
	r.letPass()
}
