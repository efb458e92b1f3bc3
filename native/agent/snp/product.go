package snp

// layout is which bytes of a TCB_VERSION must be zero.
type layout []int

var (
	milanGenoa = layout{2, 3, 4, 5}
	turin      = layout{4, 5, 6}
)

// models is a range of CPUID models of a family, first and last included, that lay out a
// TCB_VERSION alike.
type models struct {
	family, first, last byte
	layout              layout
}

// products whose TCB layout is documented: Milan, Genoa, Bergamo with Siena, and Turin.
var products = []models{
	{0x19, 0x00, 0x0f, milanGenoa},
	{0x19, 0x10, 0x1f, milanGenoa},
	{0x19, 0xa0, 0xaf, milanGenoa},
	{0x1a, 0x00, 0x11, turin},
}

// turinChipIDSize is how much of CHIP_ID a Turin fills.
const turinChipIDSize = 8

// layoutOf goes by the processor. A report of version 2 does not name it, but its CHIP_ID tells a
// Turin.
func layoutOf(version uint32, report []byte) (layout, error) {
	if version < 3 {
		chipID := report[chipIDAt : chipIDAt+chipIDSize]
		if isZero(chipID[turinChipIDSize:]) && !isZero(chipID) {
			return nil, refuse(CodeProduct, "a Turin cannot be told from others in version 2")
		}
		return milanGenoa, nil
	}
	family, model := report[cpuidAt], report[cpuidAt+1]
	for _, p := range products {
		if p.family == family && p.first <= model && model <= p.last {
			return p.layout, nil
		}
	}
	return nil, refuse(CodeProduct, "family %#x, model %#x is unknown", family, model)
}

func checkTCBs(report []byte, zeros layout) error {
	for _, at := range []int{currentTCBAt, reportedTCBAt, committedTCBAt, launchTCBAt} {
		for _, index := range zeros {
			if report[at+index] != 0 {
				return refuse(CodeTCB, "byte %d of the TCB version at %#x is not zero", index, at)
			}
		}
	}
	return nil
}
