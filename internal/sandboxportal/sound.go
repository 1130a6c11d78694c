package sandboxportal

import (
	"bytes"
	"embed"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// The sound is as small as can be understood well: some seconds are 50 to 100 kB.
const (
	soundRate = 8000 // samples a second, one byte each, 128 in the middle
	wavHeader = 44   // bytes
	digitRest = time.Second
	hiss      = 10.0 // of 127
)

// spoken has the digits 1 to 9, each said by two voices in both languages:
// ar-f-1.wav. eSpeak NG 1.51 said them, slowly (-s 125, voices ar and en-us with
// the variants m3 and f2); its licence leaves what it says to whoever asked.
//
//go:embed spoken
var spoken embed.FS

var voices = []string{"f", "m"}

// say is the code for who can't see it, as WAV: each digit in the language, with a
// rest before the next. Voices, loudness, the lengths of the rests and the hiss
// beneath are drawn from noise.
func say(code, lang string, noise [32]byte) []byte {
	random := rand.New(rand.NewChaCha8(noise))
	var samples []byte
	sound := func(volume float64, of []byte) {
		for _, sample := range of {
			samples = append(samples, byte(128+volume*(float64(sample)-128)+hiss*(2*random.Float64()-1)))
		}
	}
	rest := func(length time.Duration) {
		n := int(length.Seconds() * soundRate * (0.85 + 0.5*random.Float64()))
		sound(0, bytes.Repeat([]byte{128}, n))
	}
	rest(digitRest / 2)
	for _, digit := range code {
		said, err := spoken.ReadFile(fmt.Sprintf("spoken/%s-%s-%c.wav", lang, voices[random.IntN(len(voices))], digit))
		if err != nil {
			panic("sandboxportal: " + err.Error()) // there is no such digit in a code
		}
		sound(0.7+0.2*random.Float64(), said[wavHeader:])
		rest(digitRest)
	}
	return wav(samples)
}

// wav puts the header of 8-bit mono PCM before samples.
func wav(samples []byte) []byte {
	const headerLeft = wavHeader - 8 // after the first length
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
