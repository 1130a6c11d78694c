package sandboxportal

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"
)

// The sound is as small as can be heard well: a few seconds are some 100 kB.
const (
	soundRate  = 8000 // samples a second, one byte each
	beepLength = 130 * time.Millisecond
	beepGap    = 170 * time.Millisecond
	digitGap   = 1200 * time.Millisecond
	beepVolume = 90.0 // of 127
	hiss       = 14.0
)

// play is the code for who can't see it, as WAV: for each digit as many beeps as
// it says, with a rest between one digit and the next. Pitch, length and the hiss
// beneath are drawn from noise.
func play(code string, noise [32]byte) []byte {
	random := rand.New(rand.NewChaCha8(noise))
	var samples []byte
	sound := func(length time.Duration, tone func(i, n int) float64) {
		n := int(length.Seconds() * soundRate)
		for i := range n {
			samples = append(samples, byte(128+tone(i, n)+hiss*(2*random.Float64()-1)))
		}
	}
	rest := func(length time.Duration) { sound(length, func(int, int) float64 { return 0 }) }
	vary := func(length time.Duration) time.Duration {
		return time.Duration(float64(length) * (0.85 + 0.3*random.Float64()))
	}
	rest(digitGap / 2)
	for _, digit := range code {
		pitch := 480 + 420*random.Float64()
		for range digit - '0' {
			hertz := pitch * (0.95 + 0.1*random.Float64())
			sound(vary(beepLength), func(i, n int) float64 {
				swell := math.Min(1, math.Min(float64(i), float64(n-i))/(soundRate/100)) // 10 ms: no clicks
				return beepVolume * swell * math.Sin(2*math.Pi*hertz*float64(i)/soundRate)
			})
			rest(vary(beepGap))
		}
		rest(vary(digitGap))
	}
	return wav(samples)
}

// wav puts the header of 8-bit mono PCM before samples.
func wav(samples []byte) []byte {
	const headerLeft = 36 // bytes of the header after the first length
	var file bytes.Buffer
	field := func(v any) { _ = binary.Write(&file, binary.LittleEndian, v) } // a Buffer takes everything
	size := uint32(len(samples))
	file.WriteString("RIFF")
	field(headerLeft + size)
	file.WriteString("WAVEfmt ")
	field(uint32(16))
	field([]uint16{1, 1}) // PCM, mono
	field([]uint32{soundRate, soundRate})
	field([]uint16{1, 8}) // bytes and bits of a sample
	file.WriteString("data")
	field(size)
	file.Write(samples)
	return file.Bytes()
}
