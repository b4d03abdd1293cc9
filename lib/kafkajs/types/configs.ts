import type { ConfigResourceTypes, ConfigSource } from './admin-enums.js';

/** A resource whose configuration to describe. */
export interface ResourceConfigQuery {
  /** The kind of resource. */
  type: ConfigResourceTypes;
  /** The resource’s name. */
  name: string;
  /** Names of the values to return; left out for all. */
  configNames?: string[];
}

/** One configuration value and its origin. */
export interface ConfigEntries {
  /** The name. */
  configName: string;
  /** The value; null for one that is kept secret. */
  configValue: string;
  /** Whether it is the default. */
  isDefault: boolean;
  /** Where the value comes from. */
  configSource: ConfigSource;
  /** Whether it is kept secret. */
  isSensitive: boolean;
  /** Whether it cannot be changed while the broker runs. */
  readOnly: boolean;
  /** Where else a value is set, the strongest first. */
  configSynonyms: ConfigSynonyms[];
}

/** Another source of a configuration value. */
export interface ConfigSynonyms {
  /** The name. */
  configName: string;
  /** The value; null for one that is kept secret. */
  configValue: string;
  /** Where the value comes from. */
  configSource: ConfigSource;
}

/** Configurations of resources. */
export interface DescribeConfigResponse {
  /** One for each requested resource. */
  resources: {
    /** Its values. */
    configEntries: ConfigEntries[];
    /** The protocol’s error code; 0 for none. */
    errorCode: number;
    /** The error’s text, if there is one. */
    errorMessage: string;
    /** The resource’s name. */
    resourceName: string;
    /** The kind of resource. */
    resourceType: ConfigResourceTypes;
  }[];
  /** How long the broker has throttled the request, in milliseconds. */
  throttleTime: number;
}

/** A configuration value to set. */
export interface IResourceConfigEntry {
  /** The name. */
  name: string;
  /** The value. */
  value: string;
}

/** Configuration values to set on a resource. */
export interface IResourceConfig {
  /** The kind of resource. */
  type: ConfigResourceTypes;
  /** The resource’s name. */
  name: string;
  /** The values; settings that are not named return to their defaults. */
  configEntries: IResourceConfigEntry[];
}
