package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// The plots' geometry, in the drawing's units.
const (
	plotWidth, plotHeight   = 420, 260
	plotLeft, plotTop       = 60, 40
	drawingWidth, spaceDown = 2*(plotWidth+plotLeft) + 30, 110
)

var colors = []string{"#7a8699", "#b3bccb", "#1f5fbf", "#3fa66b"}

// drawing is the SVG of the memory of streams, and of the CPU time of a request
// against routes on a logarithmic scale.
func drawing(streams []series, routes series) []byte {
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", drawingWidth, plotTop+plotHeight+spaceDown)
	fmt.Fprintln(&svg, `<rect width="100%" height="100%" fill="#fff"/>`)
	p := plot{title: "Memory of open streams, MB", below: "open streams", series: streams, left: plotLeft}
	p.draw(&svg)
	p = plot{title: "CPU time of a request, µs", below: "routes", series: []series{routes}, left: 2*plotLeft + plotWidth + 20, logarithmic: true}
	p.draw(&svg)
	fmt.Fprintln(&svg, "</svg>")
	return svg.Bytes()
}

type plot struct {
	title, below string
	series       []series
	left         int
	logarithmic  bool // the axis below
}

func (p plot) along(x float64) float64 {
	if p.logarithmic {
		return math.Log10(x)
	}
	return x
}

func (p plot) draw(svg *bytes.Buffer) {
	var right, top float64
	for _, s := range p.series {
		for _, at := range s.points {
			right, top = max(right, p.along(at.x)), max(top, at.y)
		}
	}
	top = roundUp(top)
	at := func(x, y float64) (float64, float64) {
		return float64(p.left) + p.along(x)/right*plotWidth, plotTop + plotHeight*(1-y/top)
	}
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(svg, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	text(float64(p.left), plotTop-16, "start", p.title)
	text(float64(p.left)+plotWidth/2, plotTop+plotHeight+36, "middle", p.below)
	for i := range 5 {
		y := plotTop + plotHeight*(1-float64(i)/4)
		fmt.Fprintf(svg, `<line x1="%d" y1="%.1f" x2="%d" y2="%[2]f" stroke="#e3e7ee"/>`+"\n", p.left, y, p.left+plotWidth)
		text(float64(p.left-6), y+4, "end", number(top*float64(i)/4))
	}
	for _, tick := range p.series[0].points {
		x, _ := at(tick.x, 0)
		text(x, plotTop+plotHeight+18, "middle", fmt.Sprint(int(tick.x)))
	}
	for i, s := range p.series {
		color := colors[i%len(colors)]
		if len(p.series) == 1 {
			color = colors[2]
		}
		var line bytes.Buffer
		for _, point := range s.points {
			x, y := at(point.x, point.y)
			fmt.Fprintf(&line, "%.1f,%.1f ", x, y)
			fmt.Fprintf(svg, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, color)
		}
		fmt.Fprintf(svg, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", bytes.TrimSpace(line.Bytes()), color)
		text(float64(p.left+i%2*plotWidth/2+16), plotTop+plotHeight+60+float64(i/2)*20, "start", s.name)
		fmt.Fprintf(svg, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/>`+"\n", p.left+i%2*plotWidth/2, plotTop+plotHeight+51+i/2*20, color)
	}
}

// roundUp is a round number that is not below v.
func roundUp(v float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 8, 10} {
		if n*step >= v {
			return n * step
		}
	}
	return v
}
