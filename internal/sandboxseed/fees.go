package sandboxseed

import "github.com/istirdad/istirdad/internal/moi"

// fee is something that can be paid for: a service with what was chosen, its
// price in the sandbox, and the bucket of the balance inquiry that shows it.
// The bucket is data of the fee and not of the service: a family member's
// renewal lies with the sponsorees, a worker's with the passports.
type fee struct {
	service string
	variant Name
	amount  int64 // halalas; sandbox data, never an official price
	bucket  string
}

var (
	visitorVisaExtension = fee{"090-001", Name{AR: "تمديد تأشيرة زيارة", EN: "Extend visitor visa"}, 100_00, moi.BucketPassports}
	iqamaYear            = fee{"090-003", Name{AR: "تجديد إقامة (سنة)", EN: "Renew Iqama, 12 months"}, 650_00, moi.BucketPassports}
	iqamaQuarter         = fee{"090-003", Name{AR: "تجديد إقامة (٣ أشهر)", EN: "Renew Iqama, 3 months"}, 163_00, moi.BucketPassports}
	iqamaFamilyMember    = fee{"090-003", Name{AR: "تجديد إقامة تابع", EN: "Renew Iqama, family member"}, 500_00, moi.BucketSponsorees}
	exitReentrySingle    = fee{"090-004", Name{AR: "تأشيرة خروج وعودة مفردة", EN: "Exit re-entry, single, up to 2 months"}, 200_00, moi.BucketPassports}
	sponsorshipFirst     = fee{"090-007", Name{AR: "نقل خدمات (الأولى)", EN: "Transfer of sponsorship, 1st"}, 2000_00, moi.BucketPassports}
	sponsorshipThird     = fee{"090-007", Name{AR: "نقل خدمات (الثالثة فأكثر)", EN: "Transfer of sponsorship, 3rd or later"}, 6000_00, moi.BucketPassports}
	occupationChange     = fee{"090-012", Name{AR: "تغيير مهنة", EN: "Change of occupation"}, 1000_00, moi.BucketPassports}
	dependentQuarter     = fee{"090-058", Name{AR: "المقابل المالي لمرافق (٣ أشهر)", EN: "Dependent fee, 3 months"}, 1200_00, moi.BucketPassports}
	licenceTenYears      = fee{"091-025", Name{AR: "تجديد رخصة قيادة (١٠ سنوات)", EN: "Renew driving licence, 10 years"}, 400_00, moi.BucketDrivingLicense}
	passportFiveYears    = fee{"092-037", Name{AR: "تجديد جواز السفر السعودي (٥ سنوات)", EN: "Renew passport, 5 years"}, 300_00, moi.BucketPassports}
	passportTenYears     = fee{"092-037", Name{AR: "تجديد جواز السفر السعودي (١٠ سنوات)", EN: "Renew passport, 10 years"}, 600_00, moi.BucketPassports}
	vehicleThreeYears    = fee{"094-026", Name{AR: "تجديد رخصة سير خاصة (٣ سنوات)", EN: "Renew vehicle registration, private, 3 years"}, 300_00, moi.BucketVehicles}
	labourVisa           = fee{"095-039", Name{AR: "تأشيرة عمل", EN: "Labour visa"}, 2000_00, moi.BucketLabour}
)
