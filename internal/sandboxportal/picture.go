package sandboxportal

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// The picture is large enough for old eyes on a small screen.
const (
	pictureWidth  = 300
	pictureHeight = 100
	digitSize     = 66
	strokes       = 5   // across everything
	specks        = 260 // of which some fall on digits
)

// The faces that digits are drawn in. They are read once, and stay when nobody
// needs a picture for a while: they are a few hundred kB.
var faces = sync.OnceValue(func() (fonts []*sfnt.Font) {
	for _, ttf := range [][]byte{gobold.TTF, gobolditalic.TTF, gomonobold.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			panic("sandboxportal: " + err.Error()) // they come with the library
		}
		fonts = append(fonts, f)
	}
	return fonts
})

// A brush draws one picture.
type brush struct {
	random *rand.Rand
	canvas *image.Gray
	shapes sfnt.Buffer
}

// drawCode is the code as PNG: each digit in a face, size and slant of its own, all
// of it bent by one wave and crossed out. Dark on light, so that people see it.
func drawCode(code string, noise [32]byte) []byte {
	b := &brush{random: rand.New(rand.NewChaCha8(noise)), canvas: image.NewGray(image.Rect(0, 0, pictureWidth, pictureHeight))}
	draw.Draw(b.canvas, b.canvas.Bounds(), image.NewUniform(color.Gray{Y: 244}), image.Point{}, draw.Src)
	wave := b.wave()
	step := float64(pictureWidth-40) / float64(len(code))
	for i, digit := range code {
		x := 26 + (float64(i)+b.between(-0.06, 0.06))*step
		b.digit(digit, x, b.between(68, 80), wave)
	}
	for range strokes {
		b.stroke(wave)
	}
	for range specks {
		b.canvas.SetGray(b.random.IntN(pictureWidth), b.random.IntN(pictureHeight), b.ink())
	}
	var file bytes.Buffer
	_ = png.Encode(&file, b.canvas) // a Buffer takes everything
	return file.Bytes()
}

type point struct{ x, y float64 }

func (b *brush) between(low, high float64) float64 { return low + (high-low)*b.random.Float64() }

func (b *brush) ink() color.Gray { return color.Gray{Y: uint8(20 + b.random.IntN(70))} }

// wave bends the sheet.
func (b *brush) wave() func(point) point {
	high, wide, phase := b.between(2, 4.5), b.between(45, 80), b.between(0, 2*math.Pi)
	return func(p point) point {
		return point{
			p.x + high*math.Sin(phase+2*math.Pi*p.y/wide),
			p.y + high*math.Sin(phase+2*math.Pi*p.x/wide),
		}
	}
}

// digit draws one, with its foot at x, y.
func (b *brush) digit(digit rune, x, y float64, wave func(point) point) {
	fonts := faces()
	face := fonts[b.random.IntN(len(fonts))]
	glyph, err := face.GlyphIndex(&b.shapes, digit)
	if err != nil {
		panic("sandboxportal: " + err.Error())
	}
	size := fixed.I(int(b.between(0.88, 1.1) * digitSize))
	outline, err := face.LoadGlyph(&b.shapes, glyph, size, nil)
	if err != nil {
		panic("sandboxportal: " + err.Error())
	}
	width, err := face.GlyphAdvance(&b.shapes, glyph, size, font.HintingNone)
	if err != nil {
		panic("sandboxportal: " + err.Error())
	}
	sin, cos := math.Sincos(b.between(-0.38, 0.38)) // 22 degrees either way
	middle := point{float64(width) / 64 / 2, -float64(size) / 64 * 0.36}
	place := func(p fixed.Point26_6) (float32, float32) {
		dx, dy := float64(p.X)/64-middle.x, float64(p.Y)/64-middle.y
		to := wave(point{x + middle.x + dx*cos - dy*sin, y + middle.y + dx*sin + dy*cos})
		return float32(to.x), float32(to.y)
	}
	pen := vector.NewRasterizer(pictureWidth, pictureHeight)
	for _, s := range outline {
		ax, ay := place(s.Args[0])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			pen.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			pen.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			bx, by := place(s.Args[1])
			pen.QuadTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			bx, by := place(s.Args[1])
			cx, cy := place(s.Args[2])
			pen.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	pen.ClosePath()
	pen.Draw(b.canvas, b.canvas.Bounds(), image.NewUniform(b.ink()), image.Point{})
}

// stroke draws a line from side to side, as thick as a digit's thin parts.
func (b *brush) stroke(wave func(point) point) {
	const pieces = 24
	from, to, thick := b.between(8, pictureHeight-8), b.between(8, pictureHeight-8), b.between(1.6, 3)
	edge := make([]point, pieces+1)
	for i := range edge {
		part := float64(i) / pieces
		edge[i] = wave(point{part * pictureWidth, from + (to-from)*part})
	}
	pen := vector.NewRasterizer(pictureWidth, pictureHeight)
	pen.MoveTo(float32(edge[0].x), float32(edge[0].y))
	for _, p := range edge[1:] {
		pen.LineTo(float32(p.x), float32(p.y))
	}
	for i := pieces; i >= 0; i-- {
		pen.LineTo(float32(edge[i].x), float32(edge[i].y+thick))
	}
	pen.ClosePath()
	pen.Draw(b.canvas, b.canvas.Bounds(), image.NewUniform(b.ink()), image.Point{})
}
