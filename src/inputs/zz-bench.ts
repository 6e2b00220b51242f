import { mkdtempSync, writeFileSync, renameSync, rmSync, mkdirSync } from "node:fs"; import { join } from "node:path";
import { createFileInput } from "./files/file-input.ts";
const mode=process.argv[2]; const N=10000; const dir=mkdtempSync("/tmp/zzb-");
const routeDoc=(i:number,h="kgateway")=>`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route-${i}, namespace: default}
spec:
  parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: http, namespace: default}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /foo/${i}}}]
      filters:
        - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /anything/}}}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: hello, value: ${h}}]}}   # absent at first
      backendRefs: [{group: gateway.kgateway.dev, kind: Backend, name: backend-${i}, weight: 1}]
`;
const beDoc=(i:number)=>`apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata: {name: backend-${i}, namespace: default}
spec:
  type: Static
  static: {hosts: [{host: httpbin.example.internal, port: 8000}]}   # a local
`;
const target=(i:number)=>mode==="files"?join(dir,`d${i%100}`,`route-${i}.yaml`):join(dir,"all.yaml");
const all=(edit=-1)=>{let s="";for(let i=0;i<N;i++)s+=routeDoc(i,i===edit?"x"+Math.random():"kgateway")+"---\n"+beDoc(i)+"---\n";return s;};
if(mode==="files"){for(let i=0;i<N;i++){mkdirSync(join(dir,`d${i%100}`),{recursive:true});writeFileSync(target(i),routeDoc(i));writeFileSync(join(dir,`d${i%100}`,`backend-${i}.yaml`),beDoc(i));}}else writeFileSync(target(0),all());
let got=()=>{};
global.gc?.(); const r0=process.memoryUsage();
const c0=process.cpuUsage(); const t0=performance.now();
let batches=0;
const input=createFileInput({directory:dir,onBatch(b){batches++;got();},onProblems(p){console.log([...p.values()].flat().slice(0,3));}});
console.log(mode, await input.start(), "ms",(performance.now()-t0).toFixed(0)); {const c=process.cpuUsage(c0);console.log("cpu ms",((c.user+c.system)/1e3).toFixed(0));}
global.gc?.(); const r1=process.memoryUsage(); console.log("heap +MB",((r1.heapUsed-r0.heapUsed)/1e6).toFixed(0),"rss",(r1.rss/1e6).toFixed(0));
const ls:number[]=[]; const cs:number[]=[];
for(let k=0;k<40;k++){const p=target(k*7); writeFileSync(p+".tmp",mode==="files"?routeDoc(k*7,"x"+k):all(k*7)); await new Promise(r=>setTimeout(r,60)); const c=process.cpuUsage(); const t=performance.now(); const d=new Promise<void>(r=>{got=r;setTimeout(r,5000);}); renameSync(p+".tmp",p); await d; ls.push(performance.now()-t); const e=process.cpuUsage(c); cs.push((e.user+e.system)/1e3);}
ls.sort((a,b)=>a-b);cs.sort((a,b)=>a-b);console.log("rename->batch p50",ls[20]!.toFixed(2),"p90",ls[36]!.toFixed(2),"max",ls[39]!.toFixed(2),"cpu/edit",cs[20]!.toFixed(2));
if(mode==="files"){const t=performance.now();const d=new Promise<void>(r=>{got=r;}); rmSync(target(3)); await d; console.log("delete->batch",(performance.now()-t).toFixed(1));}
input.stop(); rmSync(dir,{recursive:true});
