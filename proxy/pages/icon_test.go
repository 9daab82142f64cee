package pages

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write favicon.ico anew")

// The icon's parts on a grid of 32, as in icon.svg: the wall with its merlons,
// and the bars that the larger sizes show in the arch.
var (
	wall = [][4]int{{2, 4, 8, 8}, {12, 4, 20, 8}, {24, 4, 30, 8}, {2, 8, 30, 28}}
	bars = [][4]int{{12, 13, 14, 24}, {15, 12, 17, 24}, {18, 13, 20, 24}, {10, 16, 22, 18}, {10, 20, 22, 22}}
)

// inked tells whether a point of the grid, in units of 1/scale, is part of the
// icon. Integers alone: every machine draws the same bytes.
func inked(x, y, scale int, withBars bool) bool {
	in := func(rects [][4]int) bool {
		for _, r := range rects {
			if x >= r[0]*scale && x < r[2]*scale && y >= r[1]*scale && y < r[3]*scale {
				return true
			}
		}
		return false
	}
	dx, dy, radius := x-16*scale, y-19*scale, 6*scale
	arch := dx*dx < radius*radius && y < 28*scale && (dy > 0 || dx*dx+dy*dy < radius*radius)
	if arch {
		return withBars && in(bars)
	}
	return in(wall)
}

// bitmap draws the icon as the device-independent bitmap that an ICO holds:
// BGRA, rows from the bottom, then an empty mask.
func bitmap(size int) []byte {
	const fine = 8 // samples a pixel and axis
	var b bytes.Buffer
	mask := (size + 31) / 32 * 4 * size
	for _, v := range []any{
		uint32(40), int32(size), int32(2 * size), uint16(1), uint16(32),
		uint32(0), uint32(size*size*4 + mask), int32(0), int32(0), uint32(0), uint32(0),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	for py := size - 1; py >= 0; py-- {
		for px := range size {
			hits := 0
			for s := range fine * fine {
				// The middle of a sample in units of 1/(2*size*fine) of the grid's unit.
				x := (2*(px*fine+s%fine) + 1) * 32
				y := (2*(py*fine+s/fine) + 1) * 32
				if inked(x, y, 2*size*fine, size >= 32) {
					hits++
				}
			}
			// A green that stands out on light and on dark tab strips.
			b.Write([]byte{0x72, 0x8a, 0x1a, byte(hits * 255 / (fine * fine))})
		}
	}
	b.Write(make([]byte, mask))
	return b.Bytes()
}

func favicon() []byte {
	sizes := []int{16, 32, 48}
	var head, body bytes.Buffer
	head.Write([]byte{0, 0, 1, 0, byte(len(sizes)), 0})
	for _, size := range sizes {
		image := bitmap(size)
		head.Write([]byte{byte(size), byte(size), 0, 0, 1, 0, 32, 0})
		_ = binary.Write(&head, binary.LittleEndian, uint32(len(image)))
		_ = binary.Write(&head, binary.LittleEndian, uint32(6+16*len(sizes)+body.Len()))
		body.Write(image)
	}
	return append(head.Bytes(), body.Bytes()...)
}

// The committed file is drawn from the geometry above: `go test -update` writes
// it after a change of the icon.
func TestFaviconIsDrawnFromTheIcon(t *testing.T) {
	want := favicon()
	if *update {
		if err := os.WriteFile("favicon.ico", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Favicon(), want) {
		t.Error("favicon.ico is not what the icon's geometry draws; run go test -update")
	}
}
