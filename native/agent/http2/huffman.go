package http2

// codeLengths are the lengths of RFC 7541, appendix B, by symbol. The code is canonical: its
// lengths define it.
var codeLengths = [256]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26}

// longest is the length of the longest code, in bits. The end of a string, symbol 256, is the last
// of them, and must not occur.
const longest = 30

// huffman finds symbols by their codes.
type huffman struct {
	// first is the first code of each length, and index where its symbol lies.
	first, index [longest + 2]uint32
	symbols      [256]byte
}

var code = newHuffman()

func newHuffman() *huffman {
	h := &huffman{}
	next, at := uint32(0), uint32(0)
	for length := 1; length <= longest; length++ {
		next <<= 1
		h.first[length], h.index[length] = next, at
		for symbol, its := range codeLengths {
			if int(its) == length {
				h.symbols[at] = byte(symbol)
				at++
				next++
			}
		}
	}
	h.index[longest+1] = at
	return h
}

// decode appends the text that a Huffman-coded string stands for.
func (h *huffman) decode(text, coded []byte) ([]byte, error) {
	value, length := uint32(0), 0
	for _, octet := range coded {
		for bit := 7; bit >= 0; bit-- {
			value = value<<1 | uint32(octet>>bit&1)
			length++
			if length > longest {
				return nil, errCompression
			}
			count := h.index[length+1] - h.index[length]
			if offset := value - h.first[length]; value >= h.first[length] && offset < count {
				text = append(text, h.symbols[h.index[length]+offset])
				value, length = 0, 0
			}
		}
	}
	// What is left must be the beginning of the end's code, which is all ones, and shorter than a
	// byte; section 5.2.
	if length > 7 || value != 1<<length-1 {
		return nil, errCompression
	}
	return text, nil
}
