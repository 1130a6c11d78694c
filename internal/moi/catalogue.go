package moi

// The billers' names, as the line "entity" of a text message gives them. 093 is
// the one whose number is common knowledge rather than found in a source.
var (
	residents    = Name{"خدمات المقيمين", "Resident Services"}      // 090
	licences     = Name{"رخص القيادة", "Driving Licences"}          // 091
	passports    = Name{"جوازات السعوديين", "Saudi Passports"}      // 092
	violations   = Name{"المخالفات المرورية", "Traffic Violations"} // 093
	vehicles     = Name{"المركبات", "Motor Vehicles"}               // 094
	visas        = Name{"التأشيرات", "Visas"}                       // 095
	civilAffairs = Name{"الأحوال المدنية", "Civil Registration"}    // 096
)

// catalogue is ordered by code. 033, 034, 046–048, 050, 051, 055 and 056 were
// never seen. "Seen with its biller" marks codes of which a bank's own screen or
// message shows biller and service together or unmistakably; the others take the
// biller of the group in which the list has them.
var catalogue = []Service{
	// 090, the Directorate of Passports for residents. Seen with its biller: 001–005,
	// 007, 008, 012, 016, 052, 057–059.
	{"090-001", Name{"تمديد تأشيرة زيارة", "Extend Visitor Visa"}, residents, true},
	{"090-002", Name{"إصدار إقامة", "Issue New Iqama"}, residents, true},
	{"090-003", Name{"تجديد إقامة", "Renew Iqama"}, residents, true},
	{"090-004", Name{"تأشيرة خروج وعودة مفردة", "Exit Re-entry Visa (Single)"}, residents, true},
	{"090-005", Name{"تأشيرة خروج وعودة متعددة", "Exit Re-entry Visa (Multiple)"}, residents, true},
	{"090-006", Name{"إلغاء تأشيرة", "Visa Cancellation"}, residents, true},
	{"090-007", Name{"نقل خدمات", "Transfer of Sponsorship"}, residents, true},
	{"090-008", Name{"بدل فاقد إقامة", "Replace Iqama"}, residents, true},
	{"090-009", Name{"تحويل تابع إلى رب أسرة", "Transfer Dependent to Head of Household"}, residents, true},
	{"090-010", Name{"تحويل رب أسرة إلى تابع", "Transfer Head of Household to Dependent"}, residents, true},
	{"090-011", Name{"نقل تابع إلى رب أسرة آخر", "Transfer Dependent to New Head of Household"}, residents, true},
	{"090-012", Name{"تغيير مهنة", "Change of Occupation"}, residents, true},
	{"090-013", Name{"رسوم تأشيرة دخول التابعين", "Dependents Entry Visa Fee"}, residents, true},
	{"090-014", Name{"إضافة تابع مولود داخل المملكة", "Add Dependent Born Inside Saudi Arabia"}, residents, true},
	{"090-015", Name{"فصل تابع", "Dependent Separation"}, residents, true},
	{"090-016", Name{"إصدار إقامة زوجة مواطن", "New Iqama for a Citizen's Wife"}, residents, true},
	{"090-052", Name{"غرامة فقدان جواز سفر", "Lost Passport Fine"}, residents, false},
	{"090-057", Name{"تمديد تأشيرة خروج وعودة", "Extend Exit Re-entry Visa"}, residents, true},
	{"090-058", Name{"المقابل المالي لمرافق", "Dependent Fee (One Dependent)"}, residents, true},
	{"090-059", Name{"المقابل المالي للمرافقين", "Dependent Fee (All Dependents)"}, residents, true},

	// 091, traffic: licences. Seen with its biller: 022, 024, 025.
	{"091-022", Name{"إصدار رخصة قيادة", "Issue Driving Licence"}, licences, true},
	{"091-023", Name{"إصدار رخصة قيادة من رخصة سابقة", "Issue Driving Licence from Old Licence"}, licences, true},
	{"091-024", Name{"بدل رخصة قيادة", "Replace Driving Licence"}, licences, true},
	{"091-025", Name{"تجديد رخصة قيادة", "Renew Driving Licence"}, licences, true},

	// 092, the Directorate of Passports for citizens. Seen with its biller: 035, 037.
	{"092-035", Name{"إصدار جواز سفر", "Issue New Passport"}, passports, true},
	{"092-036", Name{"إعادة إصدار جواز سفر", "Re-issue Passport"}, passports, true},
	{"092-037", Name{"تجديد جواز سفر", "Renew Passport"}, passports, true},

	// 093: a fine that was paid is settled, and in no list of refunds. Seen with its
	// biller: 040.
	{"093-040", Name{"المخالفات المرورية برقم الهوية", "Traffic Violations by Violator ID"}, violations, false},
	{"093-041", Name{"المخالفات المرورية برقم المخالفة", "Traffic Violations by Violation Number"}, violations, false},

	// 094, traffic: vehicles. Seen with its biller: 026–029.
	{"094-026", Name{"تجديد رخصة سير", "Renew Vehicle Registration"}, vehicles, true},
	{"094-027", Name{"نقل ملكية مركبة", "Transfer Vehicle Ownership"}, vehicles, true},
	{"094-028", Name{"بدل رخصة سير", "Re-issue Vehicle Registration Card"}, vehicles, true},
	{"094-029", Name{"بدل لوحة مركبة", "Re-issue Licence Plate"}, vehicles, true},
	{"094-030", Name{"تصدير مركبة", "Export Vehicle"}, vehicles, true},
	{"094-031", Name{"تبادل لوحات للمالك نفسه", "Exchange Plates, Same Owner"}, vehicles, true},
	{"094-032", Name{"تبادل لوحات بين مالكين", "Exchange Plates, Different Owners"}, vehicles, true},
	{"094-042", Name{"تسجيل مركبة", "Register Vehicle"}, vehicles, true},
	{"094-043", Name{"إعادة استيراد مركبة", "Re-import Vehicle"}, vehicles, true},
	{"094-044", Name{"نقل لوحات إلى مركبة مسجلة", "Transfer Plates to Registered Vehicle"}, vehicles, true},
	{"094-045", Name{"نقل لوحات مع تغيير اللوحة الحالية", "Transfer Plates, Changing Current Plate"}, vehicles, true},
	{"094-049", Name{"إسقاط مركبة تالفة", "Scrap Vehicle"}, vehicles, false},

	// 095, recruitment. Seen with its biller: 038, 039.
	{"095-038", Name{"تأشيرة استقدام عائلة", "Family Visa"}, visas, true},
	{"095-039", Name{"تأشيرة عمل", "Labour Visa"}, visas, true},

	// 096, civil registration. Seen with its biller: 021. The list has 053 and 054
	// at the end of this group.
	{"096-017", Name{"تسجيل مولود", "Birth Registration"}, civilAffairs, true},
	{"096-018", Name{"تسجيل وفاة", "Death Registration"}, civilAffairs, true},
	{"096-019", Name{"تسجيل زواج", "Marriage Registration"}, civilAffairs, true},
	{"096-020", Name{"تسجيل طلاق", "Divorce Registration"}, civilAffairs, true},
	{"096-021", Name{"إصدار بطاقة هوية وطنية", "Issue ID Card"}, civilAffairs, true},
	{"096-053", Name{"إصدار سجل الأسرة", "Issue Family Card"}, civilAffairs, false},
	{"096-054", Name{"رسوم وغرامات أخرى", "Other Fees and Fines"}, civilAffairs, false},
}
