import type {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
} from './admin-enums.js';

/** An access rule. */
export interface Acl {
  /** The principal that the rule applies to, for example `User:alice`. */
  principal: string;
  /** The host that it applies to; `*` for all. */
  host: string;
  /** The operation that the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** The resource of an access rule. */
export interface AclResource {
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name. */
  resourceName: string;
  /** How the name matches: literally, as a prefix, … */
  resourcePatternType: ResourcePatternTypes;
}

/** An access rule with its resource. */
export type AclEntry = Acl & AclResource;

/** Access rules of one resource. */
export type DescribeAclResource = AclResource & {
  /** The rules. */
  acls: Acl[];
};

/** Access rules found. */
export interface DescribeAclResponse {
  /** How long the broker has throttled the request, in milliseconds. */
  throttleTime: number;
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error’s text, if there is one. */
  errorMessage?: string;
  /** The resources that have rules. */
  resources: DescribeAclResource[];
}

/** Selects access rules. */
export interface AclFilter {
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name; left out for any. */
  resourceName?: string;
  /** How the name matches: literally, as a prefix, … */
  resourcePatternType: ResourcePatternTypes;
  /** The principal that the rule applies to; left out for any. */
  principal?: string;
  /** The host that it applies to; left out for any. */
  host?: string;
  /** The operation that the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** An access rule that was deleted. */
export interface MatchingAcl {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error’s text, if there is one. */
  errorMessage?: string;
  /** The kind of resource. */
  resourceType: AclResourceTypes;
  /** The resource’s name. */
  resourceName: string;
  /** How the name matches: literally, as a prefix, … */
  resourcePatternType: ResourcePatternTypes;
  /** The principal that the rule applies to, for example `User:alice`. */
  principal: string;
  /** The host that it applied to. */
  host: string;
  /** The operation that the rule is about, for example reading. */
  operation: AclOperationTypes;
  /** Whether it allows or denies. */
  permissionType: AclPermissionTypes;
}

/** The rules that a filter has deleted. */
export interface DeleteAclFilterResponses {
  /** The protocol’s error code; 0 for none. */
  errorCode: number;
  /** The error’s text, if there is one. */
  errorMessage?: string;
  /** The rules that were deleted. */
  matchingAcls: MatchingAcl[];
}

/** The result of deleting access rules. */
export interface DeleteAclResponse {
  /** How long the broker has throttled the request, in milliseconds. */
  throttleTime: number;
  /** One for each filter. */
  filterResponses: DeleteAclFilterResponses[];
}
