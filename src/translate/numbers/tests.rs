use super::*;

/// Pairs that say the same, checked both ways.
const EQUAL: &[(&str, &str)] = &[
    // Separators and digits of three scripts.
    ("1,000 people", "١٬٠٠٠ شخص"),
    ("1,000 people", "1000 شخص"),
    ("1,000 people", "۱٬۰۰۰ شخص"),
    ("3.5 percent", "٣٫٥ في المئة"),
    ("3.5 percent", "٣،٥ في المئة"),
    ("3.5 percent", "۳٫۵ بالمئة"),
    ("3.5%", "3,5 بالمئة"),
    ("50%", "٥٠٪"),
    ("50%", "٪٥٠"),
    ("100 percent", "مئة في المئة"),
    ("1,234,567.5", "١٬٢٣٤٬٥٦٧٫٥"),
    ("10 000 metres", "10,000 متر"),
    ("2.5 and 1.5 million", "٢٫٥ و١٫٥ مليون"),
    // Scales, written out, short, or as digits.
    ("5 million dollars", "5 ملايين دولار"),
    ("5 million dollars", "خمسة ملايين دولار"),
    ("5 million dollars", "5,000,000 دولار"),
    ("$2.5bn", "2.5 مليار دولار"),
    ("$2.5m", "مليونان ونصف المليون دولار"),
    ("2.5 million", "مليونين و500 ألف"),
    ("2.5 million", "مليونان ونصف مليون"),
    ("1.5 million", "مليون ونصف المليون"),
    ("2,500,000", "two and a half million"),
    ("500,000", "نصف مليون"),
    ("3bn", "ثلاثة مليارات"),
    ("20k users", "20 ألف مستخدم"),
    ("2,000 people", "ألفا شخص"),
    ("200 people", "مئتا شخص"),
    ("5 to 6 million", "5 ملايين إلى 6 ملايين"),
    ("5-6 million", "ما بين 5 و6 ملايين"),
    ("2.5 ambulances", "٢٫٥ سيارة"),
    // Words.
    ("25 people", "خمسة وعشرون شخصا"),
    ("350 tons", "ثلاثمئة وخمسون طنا"),
    ("twelve men", "12 رجلا"),
    ("800 years", "ثماني مئة سنة"),
    ("1999", "ألف وتسعمئة وتسعة وتسعين"),
    ("the 100th anniversary", "الذكرى المئة"),
    ("twenty twenty-four", "2024"),
    ("nineteen ninety-nine", "1999"),
    // Duals stand for a 2.
    ("2 years", "سنتين"),
    ("2 years", "عامان"),
    ("2 soldiers", "جنديين"),
    ("2 goals", "هدفان"),
    ("2 men", "رجلان"),
    ("2 months", "شهرين"),
    ("2 kilometres", "كيلومترين"),
    // Ordinals.
    ("the 21st century", "القرن الحادي والعشرين"),
    ("the 3rd time", "المرة الثالثة"),
    ("his 63rd birthday", "عيد ميلاده الثالث والستين"),
    ("2nd place", "المركز الثاني"),
    ("the 21st session", "الدورة الـ21"),
    // Dates.
    ("the 1990s", "التسعينيات"),
    ("the 1990s", "تسعينيات القرن الماضي"),
    ("the '80s", "الثمانينات"),
    ("the 80's", "الثمانينات"),
    ("on 2024-07-22", "في 22 يوليو 2024"),
    ("on 22 July", "في 22/7"),
    ("on 22.7.2024", "في 22 تموز 2024"),
    ("the 2024-25 season", "موسم 2024-2025"),
    ("the 2024/25 season", "موسم 2024/2025"),
    // Times.
    ("at 5:30 pm", "في الساعة 17:30"),
    ("at 5:30 pm", "الساعة الخامسة والنصف مساء"),
    ("at 5 pm", "عند الساعة 17:00"),
    ("at 17:00", "الساعة الخامسة مساء"),
    ("at 5.30pm", "في الساعة 5:30 مساء"),
    ("at 1200 GMT", "في الساعة 12:00 بتوقيت غرينتش"),
    ("at 1230 GMT", "في الساعة 12:30 بتوقيت غرينتش"),
    ("at 6:15", "السادسة والربع"),
    // Scores.
    ("won 2-1", "فاز 2-1"),
    ("won 2-1", "فاز بهدفين مقابل هدف"),
    ("drew 1-1", "تعادلا بهدف لكل منهما"),
    ("15 km2 of ocean", "15 كيلومترا مربعا من المحيط"),
    ("see https://a.b/2024", "انظر https://a.b/2024"),
    // Portuguese.
    ("5 million dollars", "5 milhões de dólares"),
    ("2.4 billion kroner", "2,4 bilhões de coroas"),
    ("1.2 million pills", "1,2 milhão de comprimidos"),
    ("6 billion euros", "6 mil milhões de euros"),
    ("11 trillion shillings", "11 trilhões de xelins"),
    ("2.5 million", "dois milhões e meio"),
    ("3 to 5 million", "de 3 a 5 milhões"),
    ("23,000 samples", "23.000 amostras"),
    ("25 people", "vinte e cinco pessoas"),
    ("on 2024-07-22", "em 22 de julho de 2024"),
];

#[test]
fn keeps_quiet_where_numbers_are_equal() {
    let mut wrong = Vec::new();
    for &(en, ar) in EQUAL {
        for (from, to) in [(en, ar), (ar, en)] {
            let diff = compare(from, to);
            if diff != NumberDiff::default() {
                wrong.push(format!("{from} | {to} | {diff:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn fails_when_a_number_is_dropped_changed_or_invented() {
    let cases = [
        ("He paid 300 dollars", "دفع دولارات", true, false),
        ("He paid 300 dollars", "دفع 30 دولارا", true, true),
        ("In 2019 he left", "غادر في عام 2018", true, true),
        ("He left", "غادر في عام 2018", false, true),
        ("5 million", "5 مليارات", true, true),
        ("5 million", "5 bilhões", true, true),
        ("2,731 people", "2.371 pessoas", true, true),
        ("3.5 percent", "35 في المئة", true, true),
        ("3.5 percent", "٣٥٪", true, true),
        ("1,000 men", "100 رجل", true, true),
        ("won 2-1", "فاز 2-0", true, true),
        ("at 5:30 pm", "في الساعة 17:20", true, true),
        ("$2.5bn", "2.5 مليون دولار", true, false),
        ("2 soldiers", "جنود", true, false),
        ("on 22.7.2024", "في تموز 2024", true, false),
    ];
    for (en, ar, lost, added) in cases {
        let diff = compare(en, ar);
        assert_eq!(diff.lost, lost, "{en} | {ar}");
        assert!(diff.added >= added, "{en} | {ar}");
    }
}

#[test]
fn fails_when_one_of_two_equal_numbers_is_dropped() {
    let cases = [
        (
            "It killed 25 men and hurt 25 women",
            "قتل 25 رجلا وأصاب نساء",
        ),
        (
            "قتل 25 رجلا وأصاب 25 امرأة",
            "It killed 25 men and hurt women",
        ),
        ("5 million here, 5 million there", "5 ملايين هنا وهناك"),
        ("٣٠ في بغداد و٣٠ في البصرة", "30 in Baghdad and in Basra"),
    ];
    for (source, target) in cases {
        assert!(compare(source, target).lost, "{source} | {target}");
    }
    let (en, ar) = ("25 men and 25 women", "25 رجلا و25 امرأة");
    assert_eq!(compare(en, ar), NumberDiff::default());
    let (en, ar) = ("25 men and 25 women", "25 رجلا وخمس وعشرون امرأة");
    assert_eq!(compare(en, ar), NumberDiff::default());
}
