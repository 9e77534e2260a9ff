"""What the sources of facts have that is disputed, outdated, unknown or oddly said: left out."""


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Territories, states that not all recognise, and names no longer in use.
UNUSED_COUNTRIES = frozenset(
    [
        "Antilles néerlandaises", "Aruba", "French Guiana", "French Polynesia", "Guadeloupe",
        "Guam", "Hong Kong", "Jersey", "Macau", "Martinique", "Mayotte", "New Caledonia",
        "Palestine", "Palestine, State of", "Puerto Rico", "Republic of Macedonia", "Réunion",
        "Serbia and Montenegro", "Swaziland", "Taiwan", "Western Sahara",
    ]
)  # fmt: skip
# Several capitals, a disputed or a new one, or an old name of it.
UNSETTLED_CAPITAL = frozenset(
    [
        "Benin", "Bolivia", "Burundi", "Equatorial Guinea", "Indonesia", "Israel", "Ivory Coast",
        "Kazakhstan", "Malaysia", "South Africa", "Sri Lanka", "Tanzania", "Yemen",
    ]
)  # fmt: skip
# In two continents, or counted to either.
TWO_CONTINENTS = frozenset(
    [
        "Armenia", "Azerbaijan", "Cyprus", "East Timor", "Egypt", "Georgia", "Indonesia",
        "Kazakhstan", "Panama", "Papua New Guinea", "Russia", "Trinidad and Tobago", "Turkey",
        "Yemen",
    ]
)  # fmt: skip
PARTS_ELSEWHERE = {
    "Chile": frozenset(["Oceania"]),
    "Denmark": frozenset(["North America"]),
    "France": frozenset(["Africa", "North America", "Oceania", "South America"]),
    "Netherlands": frozenset(["North America", "South America"]),
    "Portugal": frozenset(["Africa"]),
    "Spain": frozenset(["Africa"]),
    "United Kingdom": frozenset(["Africa", "North America", "Oceania", "South America"]),
    "United States": frozenset(["Oceania"]),
}
WITH_THE = frozenset(
    [
        "Central African Republic", "Comoros", "Czech Republic",
        "Democratic Republic of the Congo", "Dominican Republic",
        "Federated States of Micronesia", "Ivory Coast", "Maldives", "Marshall Islands",
        "Netherlands", "Philippines", "Republic of the Congo", "Seychelles", "Solomon Islands",
        "The Bahamas", "The Gambia", "United Arab Emirates", "United Kingdom", "United States",
    ]
)  # fmt: skip
# Seldom used, collective, plural, or better known in another meaning.
UNUSED_ANIMALS = words(
    """
    adelgid amphipod andrena ani antbird bandicoot beef bonito botfly brant bronc buckskin bug
    bullock butcherbird capon carnivore cattle cavy ceratopsian chalcid charger chevrotain chick
    chrysalis chub cobia codling colobus colubrid copepod crappie cur diapsid dobsonfly
    dolphinfish dowitcher drone drumfish eelpout eland elapid finback fissiped freetail
    gallinule gamecock ganoid geometrid goatsucker grosbeak guan guanaco guenon humankind isopod
    jaeger jerboa karakul kingbird kinglet kudu langur livestock mankind megapode menhaden
    merganser moa monotreme mount muishond murre mustelid musteline noctuid ornithischian ouzel
    patas peccary percoid phalanger pompano poultry prosimian pupa quahog ratite rattler reeve
    rhesus sandgrouse sapsucker saturniid saurischian sauropod scad scarabaeid scaup scorpaenoid
    scoter sculpin shipworm shorthorn sirenian siskin spadefoot spirula spitz swine teleost
    theropod titmouse tortrix towhee tripletail tsetse turnstone underwing viverrine whipsnake
    whiteface wrasse yellowlegs
    """
)
UNUSED_THINGS = words(
    """
    aba abrader altar architecture auto autoloader balloon bioweapon boa bombard booth botulin
    breeches brig buckboard buffet bullet castanets cathedra chino chordophone churidars
    clarence cloister coop cutlery denim dibble doghouse feedlot galley gig graver grill hackney
    hydroplane ironing jean kameez kamikaze launch laundry legging lingerie lounge lower mac
    mending nautilus neckwear packinghouse resort rink rocket salwar sarin scissors settle
    shipwreck shrine slicker slug smoother stole subcompact tamper tank teacart theatre trouser
    tuffet turtle underpants underwear wheelchair wrap yawl
    """
)
