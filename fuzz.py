import numpy as np, random, sys, pyBigWig
from pathlib import Path
from genolstm.errors import InputError
from genolstm.readers.bigwig_signal import BigWigSignal
from genolstm.readers.annotation import read_annotation
L={"I":100000,"II":5000}
with pyBigWig.open("z.bw","w") as f:
    f.addHeader([("I",100000),("II",5000)])
    f.addEntries(["I"]*2000,[i*40 for i in range(2000)],ends=[i*40+20 for i in range(2000)],values=[i%7+.5 for i in range(2000)])
whole=Path("z.bw").read_bytes()
rng=np.random.default_rng(3); C={}
for k in range(600):
    b=bytearray(whole)
    for _ in range(int(rng.integers(1,4))): b[int(rng.integers(0,len(b)))]^=1<<int(rng.integers(0,8))
    if k%5==0: b=b[:int(rng.integers(0,len(b)))]
    Path("zz.bw").write_bytes(b)
    try:
        w=BigWigSignal(Path("zz.bw"),L,"g"); n=sum(len(r.start) for r in w.runs()); r="ok" 
    except InputError: r="refused"
    except BaseException as e: r=type(e).__name__+str(e)[:80]
    C[r]=C.get(r,0)+1
print(C)
random.seed(4); C={}
types=["gene","mRNA","exon","CDS","protein","five_prime_UTR","tRNA","region","stop_codon","transcript"]
for k in range(6000):
    gtf=k%2; lines=[]
    for _ in range(random.randint(1,14)):
        s=random.randint(1,60); e=s+random.randint(0,30)
        ids=random.choices("abcd",k=3)
        if gtf: at=f'gene_id "{ids[0]}"; transcript_id "{ids[1]}";'+random.choice(["",f' exon_number "{random.randint(1,3)}";',' exception "trans-splicing";'])
        else:
            at=";".join(random.sample([f"ID={ids[0]}",f"Parent={','.join(random.choices('abcd',k=random.randint(1,3)))}",f"Derives_from={ids[2]}","exception=trans-splicing",f"geneID={ids[1]}","Is_circular=true",f"locus_tag={ids[1]}"],k=random.randint(0,4)))
        lines.append("\t".join([random.choice(["I","I","I","II"]),"x",random.choice(types),str(s),str(e),".",random.choice("++++-."),random.choice(".012"),at]))
    Path("z.gff").write_text("\n".join(lines)+"\n")
    try:
        a=read_annotation("z.gff"); assert a.read==len(lines)==a.used+sum(a.skipped.values()),(lines,a.skipped,a.used); assert "" not in a.skipped; assert a.used==sum(t.lines for t in a.transcripts)
        for t in a.transcripts: assert t.strand in "+-" and len(t.exons)
        r="ok"
    except InputError: r="refused"
    except BaseException as e: r=type(e).__name__+str(e)[:300]
    C[r]=C.get(r,0)+1
print({k:v for k,v in list(C.items())[:6]})
