//! Names of agencies, cities and months in English and Arabic.
//!
//! Where a name has several spellings in the other language, the first pair gives the one that is
//! written; the rest are read only.

use std::sync::LazyLock;

use super::folded;
use crate::text::Lang;

/// News agencies and other sources.
const AGENCIES: &[(&str, &str)] = &[
    ("Shafaq News", "شفق نيوز"),
    ("Shafaq News Agency", "وكالة شفق نيوز"),
    ("Shafaq", "شفق"),
    ("Reuters", "رويترز"),
    ("AFP", "فرانس برس"),
    ("AFP", "أ ف ب"),
    ("AFP", "أ.ف.ب"),
    ("Agence France-Presse", "وكالة فرانس برس"),
    ("AP", "أسوشيتد برس"),
    ("AP", "أ ب"),
    ("AP", "أ.ب"),
    ("Associated Press", "أسوشيتد برس"),
    ("The Associated Press", "أسوشيتد برس"),
    ("UPI", "يو بي آي"),
    ("Bloomberg", "بلومبرغ"),
    ("Bloomberg", "بلومبيرغ"),
    ("Anadolu", "الأناضول"),
    ("Anadolu Agency", "وكالة الأناضول"),
    ("AA", "الأناضول"),
    ("SANA", "سانا"),
    ("INA", "واع"),
    ("Iraqi News Agency", "وكالة الأنباء العراقية"),
    ("NINA", "نينا"),
    ("Petra", "بترا"),
    ("WAM", "وام"),
    ("QNA", "قنا"),
    ("SPA", "واس"),
    ("MENA", "أ ش أ"),
    ("MENA", "أ.ش.أ"),
    ("Middle East News Agency", "وكالة أنباء الشرق الأوسط"),
    ("KUNA", "كونا"),
    ("BNA", "بنا"),
    ("ONA", "العمانية"),
    ("NNA", "الوطنية"),
    ("National News Agency", "الوكالة الوطنية للإعلام"),
    ("WAFA", "وفا"),
    ("Maan", "معا"),
    ("Saba", "سبأ"),
    ("LANA", "وال"),
    ("TAP", "وات"),
    ("APS", "واج"),
    ("MAP", "و م ع"),
    ("SUNA", "سونا"),
    ("IRNA", "إرنا"),
    ("ISNA", "إسنا"),
    ("Tasnim", "تسنيم"),
    ("Fars", "فارس"),
    ("Mehr", "مهر"),
    ("TASS", "تاس"),
    ("RIA Novosti", "نوفوستي"),
    ("RIA Novosti", "ريا نوفوستي"),
    ("Sputnik", "سبوتنيك"),
    ("Interfax", "إنترفاكس"),
    ("RT", "آر تي"),
    ("RT", "روسيا اليوم"),
    ("Xinhua", "شينخوا"),
    ("CGTN", "سي جي تي إن"),
    ("DPA", "د ب أ"),
    ("DPA", "د.ب.أ"),
    ("EFE", "إفي"),
    ("ANSA", "أنسا"),
    ("Kyodo", "كيودو"),
    ("Yonhap", "يونهاب"),
    ("PTI", "بي تي آي"),
    ("BBC", "بي بي سي"),
    ("BBC News", "بي بي سي نيوز"),
    ("BBC Arabic", "بي بي سي عربي"),
    ("CNN", "سي إن إن"),
    ("CNN Arabic", "سي إن إن بالعربية"),
    ("Sky News", "سكاي نيوز"),
    ("Sky News Arabia", "سكاي نيوز عربية"),
    ("Al Jazeera", "الجزيرة"),
    ("Al-Jazeera", "الجزيرة"),
    ("Aljazeera", "الجزيرة"),
    ("Al Arabiya", "العربية"),
    ("Al-Arabiya", "العربية"),
    ("Alhurra", "الحرة"),
    ("Al-Sumaria", "السومرية"),
    ("Alsumaria", "السومرية"),
    ("Al-Mayadeen", "الميادين"),
    ("Al Mayadeen", "الميادين"),
    ("Al-Manar", "المنار"),
    ("Al-Ahram", "الأهرام"),
    ("Ahram Online", "بوابة الأهرام"),
    ("Asharq Al-Awsat", "الشرق الأوسط"),
    ("Asharq News", "الشرق نيوز"),
    ("Rudaw", "رووداو"),
    ("Kurdistan24", "كوردستان 24"),
    ("Kurdistan 24", "كوردستان 24"),
    ("Deutsche Welle", "دويتشه فيله"),
    ("DW", "دويتشه فيله"),
    ("France 24", "فرانس 24"),
    ("Euronews", "يورونيوز"),
    ("Voice of America", "صوت أمريكا"),
    ("VOA", "صوت أمريكا"),
    ("UN News", "أخبار الأمم المتحدة"),
    ("Baghdad Today", "بغداد اليوم"),
    ("Agencies", "وكالات"),
    ("Agencies", "الوكالات"),
    ("Staff", "طاقم التحرير"),
    ("Special", "خاص"),
    ("Exclusive", "حصري"),
    ("Correspondent", "مراسل"),
];

/// Capitals and other cities of datelines.
const CITIES: &[(&str, &str)] = &[
    ("Baghdad", "بغداد"),
    ("Basra", "البصرة"),
    ("Mosul", "الموصل"),
    ("Erbil", "أربيل"),
    ("Kirkuk", "كركوك"),
    ("Najaf", "النجف"),
    ("Karbala", "كربلاء"),
    ("Sulaymaniyah", "السليمانية"),
    ("Duhok", "دهوك"),
    ("Kuwait City", "مدينة الكويت"),
    ("Kuwait", "الكويت"),
    ("Riyadh", "الرياض"),
    ("Jeddah", "جدة"),
    ("Mecca", "مكة"),
    ("Medina", "المدينة المنورة"),
    ("Doha", "الدوحة"),
    ("Manama", "المنامة"),
    ("Muscat", "مسقط"),
    ("Abu Dhabi", "أبوظبي"),
    ("Abu Dhabi", "أبو ظبي"),
    ("Dubai", "دبي"),
    ("Sharjah", "الشارقة"),
    ("Sanaa", "صنعاء"),
    ("Sana'a", "صنعاء"),
    ("Aden", "عدن"),
    ("Damascus", "دمشق"),
    ("Aleppo", "حلب"),
    ("Homs", "حمص"),
    ("Beirut", "بيروت"),
    ("Tripoli", "طرابلس"),
    ("Amman", "عمان"),
    ("Amman", "عمّان"),
    ("Jerusalem", "القدس"),
    ("Ramallah", "رام الله"),
    ("Gaza", "غزة"),
    ("Gaza City", "مدينة غزة"),
    ("Tel Aviv", "تل أبيب"),
    ("Cairo", "القاهرة"),
    ("Alexandria", "الإسكندرية"),
    ("Khartoum", "الخرطوم"),
    ("Benghazi", "بنغازي"),
    ("Tunis", "تونس"),
    ("Algiers", "الجزائر"),
    ("Rabat", "الرباط"),
    ("Casablanca", "الدار البيضاء"),
    ("Nouakchott", "نواكشوط"),
    ("Mogadishu", "مقديشو"),
    ("Djibouti", "جيبوتي"),
    ("Moroni", "موروني"),
    ("Addis Ababa", "أديس أبابا"),
    ("Nairobi", "نيروبي"),
    ("Kampala", "كمبالا"),
    ("Abuja", "أبوجا"),
    ("Lagos", "لاغوس"),
    ("Accra", "أكرا"),
    ("Dakar", "داكار"),
    ("Bamako", "باماكو"),
    ("Niamey", "نيامي"),
    ("Pretoria", "بريتوريا"),
    ("Johannesburg", "جوهانسبرغ"),
    ("Tehran", "طهران"),
    ("Ankara", "أنقرة"),
    ("Istanbul", "إسطنبول"),
    ("Baku", "باكو"),
    ("Yerevan", "يريفان"),
    ("Tbilisi", "تبليسي"),
    ("Kabul", "كابول"),
    ("Kabul", "كابل"),
    ("Islamabad", "إسلام آباد"),
    ("Karachi", "كراتشي"),
    ("New Delhi", "نيودلهي"),
    ("Mumbai", "مومباي"),
    ("Dhaka", "دكا"),
    ("Colombo", "كولومبو"),
    ("Beijing", "بكين"),
    ("Beijing", "بيجين"),
    ("Shanghai", "شنغهاي"),
    ("Hong Kong", "هونغ كونغ"),
    ("Taipei", "تايبيه"),
    ("Tokyo", "طوكيو"),
    ("Seoul", "سيول"),
    ("Pyongyang", "بيونغ يانغ"),
    ("Hanoi", "هانوي"),
    ("Bangkok", "بانكوك"),
    ("Jakarta", "جاكرتا"),
    ("Kuala Lumpur", "كوالالمبور"),
    ("Singapore", "سنغافورة"),
    ("Manila", "مانيلا"),
    ("Canberra", "كانبرا"),
    ("Sydney", "سيدني"),
    ("Wellington", "ويلينغتون"),
    ("Moscow", "موسكو"),
    ("Kyiv", "كييف"),
    ("Kiev", "كييف"),
    ("Minsk", "مينسك"),
    ("Warsaw", "وارسو"),
    ("Prague", "براغ"),
    ("Vienna", "فيينا"),
    ("Budapest", "بودابست"),
    ("Bucharest", "بوخارست"),
    ("Sofia", "صوفيا"),
    ("Belgrade", "بلغراد"),
    ("Sarajevo", "سراييفو"),
    ("Athens", "أثينا"),
    ("Nicosia", "نيقوسيا"),
    ("Rome", "روما"),
    ("Vatican City", "مدينة الفاتيكان"),
    ("Milan", "ميلانو"),
    ("Madrid", "مدريد"),
    ("Barcelona", "برشلونة"),
    ("Lisbon", "لشبونة"),
    ("Paris", "باريس"),
    ("Brussels", "بروكسل"),
    ("Amsterdam", "أمستردام"),
    ("The Hague", "لاهاي"),
    ("Berlin", "برلين"),
    ("Frankfurt", "فرانكفورت"),
    ("Munich", "ميونيخ"),
    ("Bern", "برن"),
    ("Geneva", "جنيف"),
    ("Zurich", "زيورخ"),
    ("London", "لندن"),
    ("Dublin", "دبلن"),
    ("Copenhagen", "كوبنهاغن"),
    ("Stockholm", "ستوكهولم"),
    ("Oslo", "أوسلو"),
    ("Helsinki", "هلسنكي"),
    ("Washington", "واشنطن"),
    ("New York", "نيويورك"),
    ("United Nations", "الأمم المتحدة"),
    ("Los Angeles", "لوس أنجلوس"),
    ("Chicago", "شيكاغو"),
    ("Ottawa", "أوتاوا"),
    ("Toronto", "تورونتو"),
    ("Mexico City", "مكسيكو سيتي"),
    ("Havana", "هافانا"),
    ("Caracas", "كاراكاس"),
    ("Bogota", "بوغوتا"),
    ("Lima", "ليما"),
    ("Brasilia", "برازيليا"),
    ("Sao Paulo", "ساو باولو"),
    ("Rio de Janeiro", "ريو دي جانيرو"),
    ("Buenos Aires", "بوينس آيرس"),
    ("Santiago", "سانتياغو"),
];

/// Months, with the Levantine names that are read.
const MONTHS: &[(&str, &str)] = &[
    ("January", "يناير"),
    ("January", "كانون الثاني"),
    ("February", "فبراير"),
    ("February", "شباط"),
    ("March", "مارس"),
    ("March", "آذار"),
    ("April", "أبريل"),
    ("April", "نيسان"),
    ("May", "مايو"),
    ("May", "أيار"),
    ("June", "يونيو"),
    ("June", "حزيران"),
    ("July", "يوليو"),
    ("July", "تموز"),
    ("August", "أغسطس"),
    ("August", "آب"),
    ("September", "سبتمبر"),
    ("September", "أيلول"),
    ("October", "أكتوبر"),
    ("October", "تشرين الأول"),
    ("November", "نوفمبر"),
    ("November", "تشرين الثاني"),
    ("December", "ديسمبر"),
    ("December", "كانون الأول"),
    ("Jan.", "يناير"),
    ("Feb.", "فبراير"),
    ("Aug.", "أغسطس"),
    ("Sept.", "سبتمبر"),
    ("Oct.", "أكتوبر"),
    ("Nov.", "نوفمبر"),
    ("Dec.", "ديسمبر"),
];

/// A name in English and Arabic, as written and as compared.
struct Name {
    written: [&'static str; 2],
    folded: [String; 2],
}

/// Agencies, cities, months; folded once.
static TABLES: LazyLock<[Vec<Name>; 3]> = LazyLock::new(|| {
    [AGENCIES, CITIES, MONTHS].map(|table| {
        let name = |&(en, ar): &(&'static str, &'static str)| Name {
            written: [en, ar],
            folded: [en, ar].map(|name| name.chars().flat_map(folded).collect()),
        };
        table.iter().map(name).collect()
    })
});

/// Whether the table of agencies has this name.
pub(super) fn is_agency(name: &str) -> bool {
    has(&TABLES[0], name)
}

/// Whether the table of cities has this name.
pub(super) fn is_city(name: &str) -> bool {
    has(&TABLES[1], name)
}

fn has(table: &[Name], name: &str) -> bool {
    let name: String = name.trim().chars().flat_map(folded).collect();
    table.iter().any(|known| known.folded.contains(&name))
}

/// The longest name at the start of `text` that has another form in the language `to`: its length
/// there, and the other form.
pub(super) fn longest(text: &str, to: Lang) -> Option<(usize, &'static str)> {
    let (from, target) = match to {
        Lang::AR => (0, 1),
        Lang::EN => (1, 0),
        _ => return None,
    };
    let mut best: Option<(usize, &'static str)> = None;
    for name in TABLES.iter().flatten() {
        if let Some(length) = prefix(text, &name.folded[from])
            && best.is_none_or(|(longest, _)| length > longest)
        {
            best = Some((length, name.written[target]));
        }
    }
    best
}

/// Length of the part of `text` that spells the folded `name` and ends with a word.
fn prefix(text: &str, name: &str) -> Option<usize> {
    let mut rest = name.chars();
    for (i, c) in text.char_indices() {
        if rest.as_str().is_empty() {
            return (!c.is_alphanumeric()).then_some(i);
        }
        if !folded(c).all(|c| rest.next() == Some(c)) {
            return None;
        }
    }
    rest.as_str().is_empty().then_some(text.len())
}
