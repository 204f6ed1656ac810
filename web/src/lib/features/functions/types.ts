import type { components } from '$lib/api/schema';

type Schemas = components['schemas'];
export type EngineState = Schemas['FunctionEngine'];
export type Template = Schemas['Template'];
export type SourceFile = Schemas['CodeFile'];
export type Change = Schemas['FileChange'];
export type Alias = Schemas['FunctionAlias'];
export type Canary = Schemas['Canary'];
export type Sticky = Schemas['Sticky'];
export type Access = Schemas['HttpTrigger']['access'];
/** Whose tokens let somebody call. The document has pasted keys as an object without anything. */
export interface JwtRules {
	issuer: string;
	audience: string;
	keys: { url: string } | { set: object };
	claims: Record<string, string>;
}
export interface Http {
	access: Access;
	alias: string;
	jwt: JwtRules | null;
	/** Whether other functions of its owner may call it. */
	inside: boolean;
}
export type ModelAccess = Schemas['ModelAccess'];
export type Instance = Schemas['FunctionInstance'];
export type LogLine = Schemas['FunctionLogLine'];
export type Metrics = Schemas['FunctionMetrics'];
export type Point = Schemas['MetricsPoint'];
export type ColdSums = Metrics['cold'];
export type MadeModel = Schemas['FunctionAsModel'];

interface Hook {
	command: string[];
	timeout_ms: number;
}

/** How instances are run. The document of the API has it as an object only; this is `functions::spec::Draft`. */
export interface FunctionSettings {
	command: string[];
	port: number;
	environment: Record<string, string>;
	cpu_millis: number;
	memory_mib: number;
	disk_mib: number;
	concurrency: number;
	instances: { minimum: number; maximum: number };
	idle: { freeze_ms: number; stop_ms: number };
	timeouts: { start_ms: number; response_ms: number; silence_ms: number; total_ms: number | null };
	health: { path: string; period_seconds: number; timeout_seconds: number; failures: number } | null;
	initializer: Hook | null;
	pre_stop: Hook | null;
	stop_grace_ms: number;
	prepared: number;
	volumes: { volume: string; path: string; read_only: boolean }[];
	bindings: { name: string; host: string; port: number; local_port: number }[];
	network: 'none' | { proxy: { allowed: string[] } };
	isolation: { landlock: boolean; limits: boolean; own_user: boolean };
}

type WithSettings<T> = Omit<T, 'settings'> & { settings: FunctionSettings };
/** A profile may lack its texts when it is sent, and has them when it comes. */
export type FunctionDetails = Omit<WithSettings<Schemas['Function']>, 'http'> &
	Required<Schemas['FunctionProfile']> & { http: Http };
export type Version = WithSettings<Schemas['FunctionVersion']>;
export type Timer = Schemas['FunctionTimer'];
export type TimerProfile = Schemas['TimerProfile'];
export type Build = Schemas['FunctionBuild'];
