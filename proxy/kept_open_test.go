package proxy

import (
	"errors"
	"io"
	"testing"
)

// closedAtItsEnd is a request's body as net/http's server has it once the answer
// began: its end came with the last bytes, and it is closed since.
type closedAtItsEnd struct{ read bool }

func (b *closedAtItsEnd) Read(p []byte) (int, error) {
	if b.read {
		return 0, errors.New("http: invalid Read on closed Body")
	}
	b.read = true
	return copy(p, "body"), io.EOF
}

// One in a hundred POSTs lost its answer: the upstream's came before the
// transport had looked whether more of the body follows.
func TestABodyThatEndedIsNotReadAgain(t *testing.T) {
	kept := &keptOpen{body: &closedAtItsEnd{}}
	for range 3 { // what the transport does, twice over
		if _, err := io.Copy(io.Discard, kept); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABodyThatFailsFailsAgain(t *testing.T) {
	broken := errors.New("the client went")
	kept := &keptOpen{body: &failing{broken}}
	for range 2 {
		if _, err := kept.Read(make([]byte, 1)); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
