"""The properties a Wattpilot reports when no car is plugged in: two generations, two sets of JSON types.

`home_11_j` has the shape of firmware 36.3 (some 300 keys), `flex_home_22` that of firmware 43.4 (some 550).
Most keys only fill the status, as on the real box: a client must cope with what it does not know.
No inverter is paired (`cci`), so Eco never finds a surplus.
"""

import json
from typing import Any

Properties = dict[str, Any]  # values are JSON and shared: replace them, never change them in place

GRID_ONLY = [False, False, False, True, True, True]  # `pha`: L1..L3 behind the contactor, then before it

# Each line: a JSON value without blanks, and the keys that have it.
_SHARED = """
false alw cae fsp ftlf ful fup fzf gme irs isml loi nmo rial riml risl riul rmdns sau su sua swc wak
null acu acui cci ccu dwo fbuf_ohmpilotState fbuf_ohmpilotTemperature fbuf_pAcTotal fntp fsptws ftls ido
null lccfc lcctc lch ledo lfspt lom lpsc lrc lri lrr lssfc lsstc mcpea oca rcd stao trx
true adi asc cca chr cpe cwe cws cwsc dco facwak fcc fck fhi frci hsa hws imse iuse ocuca rfide wae wen
-300 po
-90 wsmr
0 acs awc cwsca err eto etop fbuf_akkuMode fbuf_akkuSOC fbuf_pAkku fbuf_pGrid fbuf_pPv fmmp frc las lmsc lof
0 loty mci msca ocp ocppi ocs pnp psm pvopt_averagePAkku pvopt_averagePGrid pvopt_averagePOhmpilot
0 pvopt_averagePPv pvopt_deltaA pvopt_deltaP pvopt_specialCase pwm qsw rbt scaa tou tpa wcch wccw wh wsc
1 car ferm fit frm tds wapc
2 llr scas
3 awp lmo waap wsms wst
6 aup mca
7 rbc
15 modelStatus msi
16 amp
18 cco
20 fam fot immr
32 amt
50 lop
50.0 fhz
60 lps tof
100 mscs
200 lbr sh zfo
500 lbs psh
1400 fst
3600 ocpph
4200 spl3
10000 psmd
21600 ftt
30000 fte
120000 mpwst
600000 mptwt
3600000 fbuf_age
"" cak ct data dll ens gmk loc log ocm ocppu utc
"#0000FF" cid
"#00FF00" cfi
"#00FFFF" cch
"#FFFF00" cwc
"02:00:00:00:00:01" abm dbm maca macs
"1.2.9" arv
"_Fronius-SE-Inverter" ims
"_tcp" imp
"fronius" oem
"grid" fml
"st" nif
["__default"] ocu
["chargectrl","led","wifi","webserver","cloud","froniusinverter"] tpck
[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0] nrg
[0,0,0,0,0,0] tpcm
[1,2,3] map
[] scan
[false,false,false,true,true,true] pha
[{"ssid":"","key":false,"useStaticIp":false},{"ssid":"","key":false,"useStaticIp":false}] wifis
{"dns":"0.0.0.0"} dns
{"id":5,"name":"Idle","norwayOverlay":true,"modeOverlay":true,"ranges":[]} led
{"start":1767268800,"end":1767272400,"marketprice":9.5} awcp
{"type":0,"subtype":16,"address":0,"size":0,"label":"app_0","encrypted":true} otap
{"type":1,"value":0} cdi
"""

_HOME = """
false dccu fap fre imd loe lse ocppc ocppe ocpps rcsl tse upd upo wda
null cbl cbm cdv efi ffba lbh lbp lccfi loa los obm ocl ocppca smd wfb
true bac bam cpr esk fi23 fio23 mws sbe
-61 rssi
0 csca ffb imi lck mcpd mod occa qsc rr rrca sdca smca tsom tssm tsss uaca ust
1 cus ocppl
2 fem
6 al1
10 al2 fwc
11 var
12 al3
14 al4
16 al5 ama
32 lot
1000 rfb
5000 sumd
90000 efh efh32 efh8 ehs emfh emhb pto
900000 fmt
3600000 tssi
"" wcb wpb wsm
"36.3" fwv onv
"europe.pool.ntp.org" ts
"wattpilot" typ
[1,14] esr
[21.5,20] tma
[6,10,12,14,16] clp
[{"start":1767268800,"end":1767272400,"marketprice":9.5}] awpl
[{"type":1,"subtype":2,"address":65536,"size":262144,"label":"nvs"}] part
{"model":1,"features":50,"cores":2,"revision":3} eci
{"project_name":"wattpilot_hw4+","version":"36.3","secure_version":0} apd
{"source":1,"source_freq_mhz":320,"div":2,"freq_mhz":160} ecf
{"ssid":"garage","encryptionType":3,"channel":1,"ip":"192.0.2.20","gw":"192.0.2.1"} ccw
{"used_entries":140,"free_entries":7900,"total_entries":8040} nvs
"""

_FLEX = """
false app aus c0i c1i c2i c3i c4i c5i c6i c7i c8i c9i cc4ca cc4fu cc4i1 cc4lc cc4ld cc4nl cc4rf cc4sf cc4tm
false cc4tt cc4vr cgc cpr csd demo di1 die ebe ebv esk exp facice fi23 fldb forsch isgo isip ldb lopr men mnt
false msb npd ocppao ocppcc ocppck ocppcn ocppfao ocppfcn ocppfr ocppfss ocppio ocppr ocpprl ocppsc ocppss
false ocppt ocpptf ocugc orsch pdi pdte pen pgr rde rill rsre shrm shut sic sid sis smif smjh smrm sock sqrm
false ten ufe ulu uve wpk wsh wsk wspr
null acl ado aut ccsm ccw cle clea cot eis evt fhzo gsa lpc lwf mstr mstw ocppdp ocppf ocppff ocpple ocpplea
null ocppmp ocppte ocppti ocpptp opad rdbfe rdbse rdefe rdese rdple rdree rfe rsa rssi scrp sica sil sila tcl
null tsi wb wsl
true ana cble cc42l cc4cd cc4sv cc4tv deb dii ebo ee eusd euse facpass fap fre ice imd loe lse msr ocppa
true ocppc ocppe ocppfe ocppfla ocppflo ocppg ocppla ocpplo ocpps pass pdle sie simo smic smr ule wda wsa
true wspc wsw
-666 ocpprv
0 alwt c0e c1e c2e c3e c4e c5e c6e c7e c8e c9e cbdt cc4dc cc4sp cc4ss cert din eto_mid facacs fio23 lccfi mro
0 mwo ocppaa ocppai ocppca ocppcm ocppfai ocppfcm ocppfft ocppft rdbf rdbs rdef rdes rdpl rdre tab ufm wg
0 wh_mid whb whg who whs wo ws wssc
0.16 rsrr
1 cc4cs cup wbw
2 sbc
3 bam cc4st ocppcs
4 cc4is proto
6 sbs
10 al1
16 al2 la1 la3
20 al3 bpwm0 bpwm1 bpwm2 bpwm3 cpi cpt ebt gmtr pdt smmr ula
20.0 avgfhz
22 cbtt var
24 al4
32 al5 ama loa
49 ufs
49.8 ufa
49.9 rmif
50.1 rmaf
64 nld
100 ocl
184 uvt
200 wsmi
207 rmiv
240 cc4pp
250.7 rmav
400 wsma
2000 cdci wswd
3000 uvs
3600 ocppfh
4000 dci
5000 frt iri
9000 cc4vm
9050 cc4vx
10000 cnt sumd
25200 pdls
32000 cc4ls cc4lt cc4tl emx
60000 wsi
70000 fdt
72000 pdlo
120000 mcpd
300000 fmt
7200000 lto
"" faccak ipw ocppfu otaif tzt
"0" ccrv imi
"0,000,000" art
"0.0.17-8" fwc
"02:00:00:00:00:02" cbm mace macp obm
"192.0.2.1" esd0 esd1 esd2 esg esi ess
"43.4" fwv onv
"Wattpilot" hste
"_Fronius-SE-SmartMeter" smms
"_tcp" smmp
"austria" cy
"bcrypt" authhash
"n/a" c0n c1n c2n c3n c4n c5n c6n c7n c8n c9n
"no-card" ocppd ocppfd ocpptt
"wattpilot" dfam
"wattpilot_flex" typ
"wattpilot_flex_c6" styp
"{}" los
[0,0,0,0] cc4ae cc4ap cc4fm cc4pm cc4rc cc4re cc4rp cc4rv
[10,16,20,24,32] clp
[] fuzz
[null,null,31.0,32.0,30,31.5] tma
{"amp":32,"dyn":32,"sta":32,"ts":0} lot
{"firmware_version":"0.0.17-8","firmware_integrity":"verified","hwid":"phnx"} cc4
{"marketprice":[9.5,8.25,0,12],"start":1767268800,"interval":3600} awpl
{"project_name":"wattpilot_flex-secure-release","version":"43.4","secure_version":0} apd
{"speed":"100M","dup":"full","ip":"192.0.2.20","ipv6":["2001:db8::20"]} cce
{"ts":0,"I1":0.5,"I2":-0.5,"I3":0.25} smd
{} cll
"""


def home_11_j(serial: str) -> Properties:
    """Return the properties of a Wattpilot Home 11 J: 11 kW, WiFi, firmware 36.3."""
    cards = [{"name": f"User {number}", "energy": 0, "cardId": False} for number in range(1, 11)]
    midnight = {"hour": 0, "minute": 0}
    return _table(_SHARED) | _table(_HOME) | _own(serial, midnight) | {"cards": cards}


def flex_home_22(serial: str) -> Properties:
    """Return the properties of a Wattpilot Flex Home 22 C6: 22 kW, Ethernet, firmware 43.4."""
    midnight = {"hour": 0, "minute": 0, "second": 0}
    return _table(_SHARED) | _table(_FLEX) | _own(serial, midnight) | {"grp": "Wattpilot Flex Home 22 C6"}


def _table(text: str) -> Properties:
    properties: Properties = {}
    for line in text.strip().splitlines():
        value, *keys = line.split()
        properties |= dict.fromkeys(keys, json.loads(value))
    return properties


def _own(serial: str, midnight: dict[str, int]) -> Properties:
    """Return what depends on the single box, and the schedules, all switched off."""
    schedule = {"control": 0, "ranges": [{"begin": midnight, "end": midnight}] * 2}
    name = f"Wattpilot_{serial}"
    return {
        "sse": serial,
        **dict.fromkeys(("ffna", "fna", "fwan", "host", "hsta", "hsts", "wan"), name),
        **dict.fromkeys(("sch_week", "sch_satur", "sch_sund"), schedule),
    }
